"""Comparison, shift and conversion, built from the protocol's gates."""
