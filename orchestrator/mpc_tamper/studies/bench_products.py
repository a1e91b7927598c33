"""How near matrix products modulo 2^64 come to what the processor can do, in the shapes of the models.

A product of matrices is limited by multiplications, one by a vector by them or by memory, whichever takes longer. Both
limits are measured in turn with each product (engines/kernels/limits.py): on one thread, as the products. So is what
the call takes without the sum: to come from Python to the kernel, with memory for the result.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from mpc_tamper.core.progress import Progress, silent
from mpc_tamper.engines.kernels import limits, matmul

ROWS, COLUMNS, BATCH, CLASSES, WIDTHS = 12_665, 785, 128, 10, (32, 128)
REPETITIONS = 15
_STEPS = 10_000
_SECONDS = 0.005  # of calls at a time, so that the clock's own are nothing


class Product(NamedTuple):
    """x (rows, inner) or, transposed, (inner, rows), times y (inner, columns). kind: of x, a word or int16."""

    name: str
    rows: int
    inner: int
    columns: int
    kind: str
    transposed: bool

    @property
    def multiplications(self) -> int:
        return self.rows * self.inner * self.columns


def products() -> list[Product]:
    found = []
    for kind in ("uint64", "int16"):
        found += [
            Product("SVM, margins", ROWS, COLUMNS, 1, kind, False),
            Product("SVM, gradient", COLUMNS, ROWS, 1, kind, True),
        ]
        for hidden in WIDTHS:
            found += [
                Product(f"network of {hidden}, hidden layer", BATCH, COLUMNS, hidden, kind, False),
                Product(f"network of {hidden}, gradient", COLUMNS, BATCH, hidden, kind, True),
            ]
    outputs = [Product(f"network of {h}, outputs", BATCH, h, CLASSES, "uint64", False) for h in WIDTHS]
    return found + outputs


def bench_products(*, repetitions: int = REPETITIONS, progress: Progress = silent) -> dict[str, Any]:
    """Seconds are medians, with quartiles. rate: multiplications and additions a second.  JSON types.

    call_seconds: of a call with matrices of the same form, but no terms to sum.
    """
    found = []
    for product in products():
        progress(f"products: {product.name}, {product.kind}")
        found.append(_measure(product, repetitions))
    return {"repetitions": repetitions, "products": found}


def _measure(product: Product, repetitions: int) -> Mapping[str, Any]:
    rng = np.random.default_rng(0)
    shape = (product.inner, product.rows) if product.transposed else (product.rows, product.inner)
    x = rng.integers(0, 256, shape).astype(np.int16)
    if product.kind == "uint64":
        x = rng.integers(0, 2**64, shape, np.uint64)
    y = rng.integers(0, 2**64, (product.inner, product.columns), np.uint64)
    multiply = matmul.trans_matmul if product.transposed else matmul.matmul
    nothing = x[:0] if product.transposed else np.empty((product.rows, 0), x.dtype)
    words = x.reshape(-1).view(np.uint8)[: x.nbytes // 8 * 8].view(np.uint64)
    calls: dict[str, Callable[[], Any]] = {
        "product": lambda: multiply(x, y),
        "call": lambda: multiply(nothing, y[:0]),
        "multiplications": lambda: limits.multiply_and_add(0, _STEPS, 3),
        "memory": lambda: limits.read(0, words),
    }
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repetitions):
        for name, call in calls.items():
            seconds[name].append(_seconds(call))
    medians = {name: statistics.median(each) for name, each in seconds.items()}
    rate = _STEPS * limits.AT_ONCE / medians["multiplications"]
    bounds = {"multiplications": product.multiplications / rate}
    if product.columns == 1:
        bounds["memory"] = medians["memory"]
    limited_by = max(bounds, key=lambda name: bounds[name])
    return {
        **product._asdict(),
        "seconds": medians["product"],
        "quartiles": statistics.quantiles(seconds["product"], n=4)[::2],
        "call_seconds": medians["call"],
        "multiplications_per_second": product.multiplications / medians["product"],
        "limited_by": limited_by,
        "limit_seconds": bounds[limited_by],
        "limit_multiplications_per_second": rate,
        "limit_bytes_per_second": x.nbytes / medians["memory"],
        "over_limit": medians["product"] / bounds[limited_by],
    }


def _seconds(call: Callable[[], Any]) -> float:
    """Of a call: the mean of as many as fill _SECONDS, after one that fills caches."""
    begin = time.perf_counter()
    call()
    calls = max(1, min(1000, int(_SECONDS / max(1e-6, time.perf_counter() - begin))))
    begin = time.perf_counter()
    for _ in range(calls):
        call()
    return (time.perf_counter() - begin) / calls
