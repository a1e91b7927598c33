"""Arrays in, arrays out: no I/O, no randomness, no party. Integers are uint64 modulo 2^64.

Numba's cache keeps the compiled code on disk; importing the package compiles what is missing.
"""
