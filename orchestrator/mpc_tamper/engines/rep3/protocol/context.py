"""What a protocol knows of the party that runs it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from mpc_tamper.engines.frontend.steps import StepClock
from mpc_tamper.engines.mapped import Storage
from mpc_tamper.engines.rep3.protocol.prss import Prss
from mpc_tamper.engines.rep3.protocol.recorder import Recorder
from mpc_tamper.engines.rep3.transport.channel import Channel
from mpc_tamper.runs.injector import ErrorInjector


@dataclass(frozen=True)
class _Place:
    """Where outputs stand in the plan's addressing. sites: the step by name, if it has one, and by number."""

    sites: tuple[str, ...]
    occurrence: int
    start: int


@dataclass
class Party:
    """One party of a run. injector: the additive errors, in the process of the corrupt party only.

    storage: where its large arrays lie.
    """

    channel: Channel
    prss: Prss
    steps: StepClock
    injector: ErrorInjector | None
    recorder: Recorder
    storage: Storage = field(default_factory=Storage)
    _gate_outputs: dict[tuple[int, str], tuple[int, int]] = field(default_factory=dict)

    @property
    def party_id(self) -> int:
        return self.channel.party_id

    def shift(self, tag: str, values: np.ndarray, receive: int | None = None) -> np.ndarray:
        """Send values to the next party, return the previous party's: of equal shape, or `receive` words. One round."""
        received = np.empty(values.shape if receive is None else receive, np.uint64)
        step = self.steps.current
        self.channel.shift(f"{step}/{tag}" if step else tag, as_bytes(values), as_bytes(received))
        return received

    def add_errors(self, outputs: np.ndarray) -> None:
        """Where the corrupt party cheats: add the plan's errors to what it is about to reshare, in place.

        outputs: all outputs of one operation, uint64.
        """
        if self.injector is None:
            return
        place = self._place(outputs.size)
        if place is not None:
            for site in place.sites:
                self.injector.add_to(outputs, site, place.occurrence, place.start)

    def add_errors_at(self, parts: list[tuple[slice, np.ndarray]], count: int, gate: str) -> None:
        """The same for a message inside a primitive, of which this party sends parts: (where, words), of `count`."""
        if self.injector is None:
            return
        place = self._place(count, gate)
        if place is not None:
            for site in place.sites:
                for where, words in parts:
                    self.injector.add_to(words, site, place.occurrence, place.start + where.start)

    def flip_errors(self, planes: np.ndarray, lanes: int, gate: str) -> None:
        """The same for AND gates: planes (p, words) hold p * lanes gates, gate index = plane * lanes + lane."""
        if self.injector is None:
            return
        place = self._place(planes.shape[0] * lanes, gate)
        if place is None:
            return
        for site in place.sites:
            flips = self.injector.flips(site, place.occurrence, place.start, planes.shape[0] * lanes)
            if flips is None:
                continue
            plane, lane = np.divmod(flips, lanes)
            np.bitwise_xor.at(planes, (plane, lane >> 6), np.uint64(1) << (lane & 63).astype(np.uint64))

    def _place(self, count: int, gate: str | None = None) -> _Place | None:
        """Number the next `count` outputs: of the step, or of a gate of the step. None outside every step."""
        number, occurrence = self.steps.number, self.steps.occurrence
        if number is None:
            return None
        sites = tuple(dict.fromkeys((self.steps.name(number), str(number))))  # a timer without a name has one
        if gate is None:
            return _Place(sites, occurrence, self.steps.take(count))
        since, start = self._gate_outputs.get((number, gate), (occurrence, 0))
        start = start if since == occurrence else 0
        self._gate_outputs[number, gate] = (occurrence, start + count)
        return _Place(tuple(f"{site}/{gate}" for site in sites), occurrence, start)


def as_bytes(array: np.ndarray) -> memoryview:
    """The memory of a contiguous array."""
    return np.ascontiguousarray(array).data.cast("B") if array.size else memoryview(bytearray())
