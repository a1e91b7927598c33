"""Arrays in, arrays out: no I/O, no randomness, no party. Integers are uint64 modulo 2^64."""

import importlib


def compile_all() -> None:
    """Compile what Numba's cache on disk does not hold yet, so that the three parties need not do it three times."""
    for name in ("matmul", "bit_ops", "clmul", "binary_field", "galois_ring"):
        importlib.import_module(f"{__name__}.{name}")
