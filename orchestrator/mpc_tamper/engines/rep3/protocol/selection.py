"""Which recorder a protocol has."""

from __future__ import annotations

import importlib

from mpc_tamper.engines.mapped import Storage
from mpc_tamper.engines.rep3.protocol.age import Age
from mpc_tamper.engines.rep3.protocol.prss import Prss
from mpc_tamper.engines.rep3.protocol.recorder import PassiveRecorder, Recorder
from mpc_tamper.engines.rep3.transport.channel import Channel
from mpc_tamper.runs.protocols import ProtocolName


def load(protocol: str) -> None:
    """Import what its parties need. A passive run never loads the proofs, which take longer than a short run takes."""
    if ProtocolName(protocol).active:
        importlib.import_module("mpc_tamper.engines.rep3.protocol.active")


def recorder_for(
    protocol: ProtocolName,
    channel: Channel,
    prss: Prss,
    session: bytes,
    *,
    record_bytes: int | None = None,
    threads: int = 1,
    storage: Storage | None = None,
    age: Age | None = None,
) -> Recorder:
    """session: what binds the run.  record_bytes: how much records may take at most; None: no limit but their own.

    threads: of the party that has the fewest. With two, a record is proved while the next one is filled, if there is
    room for both. All three have to come to the same here.
    storage: for what proofs make that may be larger than memory.  age: of the run, where it is simulated.
    """
    if not ProtocolName(protocol).active:
        return PassiveRecorder()
    from mpc_tamper.engines.rep3.protocol.active import RECORD_BYTES, Active

    room = 2 * RECORD_BYTES if record_bytes is None else record_bytes
    return Active(
        channel,
        prss,
        session,
        record_bytes=min(RECORD_BYTES, room),
        storage=storage,
        first_batch=0 if age is None else age.batches,
        beside=threads > 1 and room >= 2 * RECORD_BYTES,
    )
