"""A neural network of one hidden layer."""
