"""What passes between a program and the world: its text and its clients."""
