"""Three parties in threads of one process, for tests of protocols: no TLS, no files."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

from mpc_tamper.core.errors import PeerLost
from mpc_tamper.engines.frontend.steps import StepClock
from mpc_tamper.engines.rep3.handshake import agree_on_keys
from mpc_tamper.engines.rep3.protocol.context import Party
from mpc_tamper.engines.rep3.protocol.prss import Prss
from mpc_tamper.engines.rep3.protocol.selection import recorder_for
from mpc_tamper.engines.rep3.transport.memory import memory_channels
from mpc_tamper.runs.corruption import Corruption
from mpc_tamper.runs.injector import ErrorInjector
from mpc_tamper.runs.protocols import ProtocolName

T = TypeVar("T")


def run_in_threads(
    program: Callable[[Party], T],
    *,
    sites: dict[int, str] | None = None,
    corruption: Corruption | None = None,
    insecure_keys: Sequence[bytes] | None = None,
    active: bool = False,
    record_bytes: int | None = None,
) -> tuple[T, T, T]:
    """Run `program` as each party; return the three results or raise the first party's error.

    insecure_keys: kappa_0, kappa_1, kappa_2; None draws fresh ones.  active: with proofs, a batch for each
    record_bytes or opening.
    """
    results: list[T | None] = [None] * 3
    failures: list[BaseException | None] = [None] * 3
    channels = memory_channels()
    protocol = ProtocolName.MAL_REP_RING if active else ProtocolName.RING

    def run(party_id: int) -> None:
        channel = channels[party_id]
        try:
            if insecure_keys is None:
                prss = agree_on_keys(channel)
            else:
                prss = Prss(insecure_keys[party_id], insecure_keys[party_id - 1])
            corrupt = corruption is not None and party_id == corruption.party
            injector = ErrorInjector(corruption.plan) if corruption is not None and corrupt else None
            recorder = recorder_for(protocol, channel, prss, b"in memory", record_bytes=record_bytes)
            results[party_id] = program(Party(channel, prss, StepClock(sites or {}), injector, recorder))
            recorder.prove()
            recorder.finish()
            if injector is not None:
                injector.finish()
            channel.finish()
        except BaseException as exc:
            failures[party_id] = exc
            channel.abort(party_id)

    threads = [threading.Thread(target=run, args=(i,), daemon=True) for i in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    _raise_first(failures)
    return results[0], results[1], results[2]  # type: ignore[return-value]


def _raise_first(failures: Sequence[BaseException | None]) -> None:
    """Of several parties' errors, the one that is not merely the echo of another's."""
    found = [f for f in failures if f is not None]
    for failure in sorted(found, key=lambda f: isinstance(f, PeerLost)):
        raise failure
