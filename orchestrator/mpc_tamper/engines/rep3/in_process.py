"""Three parties in threads of one process, for tests and audits of protocols: no TLS, no files."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from mpc_tamper.core.errors import PeerLost
from mpc_tamper.engines.frontend.steps import StepClock
from mpc_tamper.engines.mapped import Storage
from mpc_tamper.engines.rep3.handshake import agree_on_keys
from mpc_tamper.engines.rep3.protocol.context import Party
from mpc_tamper.engines.rep3.protocol.prss import Prss
from mpc_tamper.engines.rep3.protocol.recorder import Recorder
from mpc_tamper.engines.rep3.protocol.selection import recorder_for
from mpc_tamper.engines.rep3.transport.channel import Channel
from mpc_tamper.engines.rep3.transport.memory import MakeChannel, memory_channels
from mpc_tamper.runs.corruption import Corruption
from mpc_tamper.runs.injector import ErrorInjector
from mpc_tamper.runs.protocols import ProtocolName

T = TypeVar("T")


@dataclass
class End(Generic[T]):
    """How a party ended: with what its program returned, or with an error."""

    result: T | None = None
    error: BaseException | None = None


def run_in_threads(
    program: Callable[[Party], T],
    *,
    sites: dict[int, str] | None = None,
    corruption: Corruption | None = None,
    insecure_keys: Sequence[bytes] | None = None,
    active: bool = False,
    record_bytes: int | None = None,
    threads: int = 1,
    storage: Storage | None = None,
    timeout_seconds: float = 30.0,
) -> tuple[T, T, T]:
    """Run `program` as each party; return the three results or raise the first party's error.

    insecure_keys: kappa_0, kappa_1, kappa_2; None draws fresh ones.  active: with proofs, a batch for each
    record_bytes or opening.  threads: see recorder_for.  storage: of all three; in memory where None.
    """
    protocol = ProtocolName.MAL_REP_RING if active else ProtocolName.RING

    def recorder(channel: Channel, prss: Prss) -> Recorder:
        return recorder_for(
            protocol, channel, prss, b"in memory", record_bytes=record_bytes, threads=threads, storage=storage
        )

    def keys(channel: Channel) -> Prss:
        if insecure_keys is None:
            return agree_on_keys(channel)
        return Prss(insecure_keys[channel.party_id], insecure_keys[channel.party_id - 1])

    ends = ends_in_threads(
        program,
        sites=sites,
        corruption=corruption,
        recorder=recorder,
        keys=keys,
        storage=storage,
        timeout_seconds=timeout_seconds,
    )
    _raise_first([end.error for end in ends])
    return tuple(end.result for end in ends)  # type: ignore[return-value]


def ends_in_threads(
    program: Callable[[Party], T],
    *,
    recorder: Callable[[Channel, Prss], Recorder],
    keys: Callable[[Channel], Prss] = agree_on_keys,
    sites: dict[int, str] | None = None,
    corruption: Corruption | None = None,
    timeout_seconds: float = 30.0,
    make_channel: MakeChannel = Channel,
    storage: Storage | None = None,
) -> tuple[End[T], End[T], End[T]]:
    """Run `program` as each party and tell how each ended. recorder, keys: what a party makes of its channel."""
    channels = memory_channels(timeout_seconds, make_channel)
    ends: tuple[End[T], End[T], End[T]] = (End(), End(), End())

    def run(channel: Channel, end: End[T]) -> None:
        try:
            prss = keys(channel)
            corrupt = corruption is not None and channel.party_id == corruption.party
            injector = ErrorInjector(corruption.plan) if corruption is not None and corrupt else None
            kept = recorder(channel, prss)
            clock, lies = StepClock(sites or {}), storage or Storage()
            end.result = program(Party(channel, prss, clock, injector, kept, lies))
            kept.prove()
            kept.finish()
            if injector is not None:
                injector.finish()
            channel.finish()
        except BaseException as exc:
            end.error = exc
            channel.abort(channel.party_id)

    threads = [threading.Thread(target=run, args=pair, daemon=True) for pair in zip(channels, ends, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return ends


def _raise_first(failures: Sequence[BaseException | None]) -> None:
    """Of several parties' errors, the one that is not merely the echo of another's."""
    found = [f for f in failures if f is not None]
    for failure in sorted(found, key=lambda f: isinstance(f, PeerLost)):
        raise failure
