"""The machine without secrecy: values of Z_2^64 in NumPy arrays. Every other engine is held against it.

Additive errors are added to the results of multiplications, dot products and matrix products of a step, which is
what a corrupt party's error amounts to, whichever party it is.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mpc_tamper.core.errors import PlanError, ShareFileError
from mpc_tamper.engines.base import OnStep
from mpc_tamper.engines.clear import products
from mpc_tamper.engines.frontend.containers.memory import PART_WORDS
from mpc_tamper.engines.frontend.steps import StepClock
from mpc_tamper.engines.inputs import OwnerInput
from mpc_tamper.engines.mapped import Storage, by_rows, release, sum_over_rows
from mpc_tamper.runs.injector import ErrorInjector
from mpc_tamper.runs.plan import AdditiveErrorPlan
from mpc_tamper.runs.protocols import PARTIES
from mpc_tamper.runs.spec import InputFiles


class ClearMachine:
    """shares: what share files held before the run.  written: what the run leaves, or None."""

    def __init__(
        self,
        sites: Mapping[int, str],
        inputs: Mapping[int, InputFiles],
        plan: AdditiveErrorPlan | None = None,
        shares: np.ndarray | None = None,
        *,
        append: bool = False,
        on_step: OnStep | None = None,
        storage: Storage | None = None,
    ) -> None:
        """append: writing goes on after the shares that were there, instead of into a new file.  storage: of inputs."""
        _refuse_gates(plan)
        self.clock = StepClock(sites)
        self._on_step = on_step
        self.text: list[str] = []
        self.binary_output: list[int] = []
        self.written = shares if append else None
        self._shares = shares
        self._storage = storage or Storage()
        self._inputs = {owner: OwnerInput(owner, inputs.get(owner)) for owner in range(PARTIES)}
        self._injector = ErrorInjector(plan) if plan is not None else None

    # local

    def share_public(self, values: np.ndarray) -> np.ndarray:
        return np.array(values, dtype=np.uint64)

    def allocate(self, size: int) -> np.ndarray:
        return self._storage.zeros((size,))

    def concatenate(self, parts: list[np.ndarray]) -> np.ndarray:
        joined = self.allocate(sum(part.size for part in parts))
        return np.concatenate(parts, out=joined)

    def lend(self, x: np.ndarray) -> bool:
        return False

    def add(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return x + y

    def sub(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return x - y

    def add_public(self, x: np.ndarray, c: np.ndarray) -> np.ndarray:
        return x + c

    def scale(self, x: np.ndarray, c: np.ndarray) -> np.ndarray:
        return x * c

    def random(self, shape: tuple[int, ...]) -> np.ndarray:
        return np.random.default_rng().integers(0, 1 << 64, shape, dtype=np.uint64)

    # interactive on other machines

    def input(self, owner: int, shape: tuple[int, ...], *, binary: bool) -> np.ndarray:
        stream, count = self._inputs.get(owner, OwnerInput(owner, None)), int(np.prod(shape))
        if count <= PART_WORDS:
            return stream.take(count, binary=binary).reshape(shape)
        words = self._storage.zeros((count,))
        for start in range(0, count, PART_WORDS):
            part = slice(start, min(count, start + PART_WORDS))
            words[part] = stream.take(part.stop - start, binary=binary)
            release(words[part])
        return words.reshape(shape)

    def mul(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return self._with_errors(x * y)

    def matmul(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return self._with_errors(by_rows(lambda rows: products.matmul(rows, y), x))

    def trans_matmul(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return self._with_errors(sum_over_rows(products.trans_matmul, x, y))

    def dot(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return self._with_errors(np.einsum("ij,ij->i", x, y))

    def less_than_zero(self, x: np.ndarray, k: int) -> np.ndarray:
        return (x >> np.uint64(k - 1)) & np.uint64(1)

    def right_shift(self, x: np.ndarray, t: int) -> np.ndarray:
        return (np.ascontiguousarray(x).view(np.int64) >> np.int64(t)).view(np.uint64)

    def open(self, x: np.ndarray) -> np.ndarray:
        return x

    # persistence

    def write_shares(self, x: np.ndarray, position: int | None) -> None:
        held = np.zeros(0, np.uint64) if self.written is None else self.written
        start = held.size if position in (None, -1) else position
        if not 0 <= start <= held.size:
            raise ShareFileError(f"expected a position from 0 to {held.size} in the share file, got {start}")
        self.written = np.concatenate([held[:start], x, held[start + x.size :]])

    def read_shares(self, position: int, count: int) -> tuple[np.ndarray, int]:
        held = self._shares if self._shares is not None else self.written
        if held is None:
            raise ShareFileError(
                "Persistence not found: the program reads shares, but no earlier run is given; give its folder with "
                "--shares-from"
            )
        if position < 0 or position + count > held.size:
            raise ShareFileError(f"expected {count} shares from {position} on, got a file of {held.size}")
        stop = position + count
        return held[position:stop], -1 if stop == held.size else stop

    # steps

    def start_timer(self, number: int) -> None:
        self.clock.start(number)
        if self._on_step is not None:
            self._on_step(self.clock.name(number), self.clock.occurrence)

    def stop_timer(self, number: int) -> None:
        self.clock.stop(number)

    # output

    def emit(self, text: str) -> None:
        self.text.append(text)

    def emit_binary(self, values: np.ndarray) -> None:
        self.binary_output.extend(np.ascontiguousarray(values).view(np.int64).tolist())

    def finish(self) -> None:
        """Raises PlanError when an error of the plan met no output."""
        if self._injector is not None:
            self._injector.finish()

    def _with_errors(self, outputs: np.ndarray) -> np.ndarray:
        outputs = np.ascontiguousarray(outputs)  # indices are row-major, errors are added in place
        number, site = self.clock.number, self.clock.current
        if self._injector is not None and number is not None and site is not None:
            start = self.clock.take(outputs.size)
            for name in {site, str(number)}:
                self._injector.add_to(outputs, name, self.clock.occurrence, start)
        return outputs


def _refuse_gates(plan: AdditiveErrorPlan | None) -> None:
    gates = sorted(site for site in plan.sites() if "/" in site) if plan is not None else []
    if gates:
        raise PlanError(
            f"expected sites of operations only, got {', '.join(gates)}: gates lie inside a primitive of one engine, "
            "the clear engine has none; run it with --engine rep3"
        )
