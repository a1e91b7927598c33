"""A network of one hidden layer: mlp_train.mpc and what everything else has to know of it."""
