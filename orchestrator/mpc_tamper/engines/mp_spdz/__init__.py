"""A driver for an MP-SPDZ v0.4.x tree that the user has built. Nothing of MP-SPDZ is copied, changed or built here."""
