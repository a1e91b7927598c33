"""Clients outside the three servers: those who ask a secret model, and those who contribute training rows."""
