"""Principal components before the training of a linear model: a stage before it, and the way back after it."""
