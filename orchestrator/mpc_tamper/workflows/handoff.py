"""Take the shares of a passive ring run into an active ring protocol that cannot read them: handoff.mpc."""

from __future__ import annotations

from pathlib import Path

from mpc_tamper.core import bundle
from mpc_tamper.core.errors import ProgramCrash, ProtocolAbort
from mpc_tamper.core.temporary import TemporaryFolder
from mpc_tamper.engines import share_files
from mpc_tamper.engines.base import Engine
from mpc_tamper.runs.protocols import ProtocolName
from mpc_tamper.runs.result import RunResult
from mpc_tamper.runs.spec import InputFiles, RunSpec


def needs_handoff(shares_from: Path, engine: Engine, protocol: ProtocolName) -> bool:
    """Whether the shares have to be taken over before the engine's protocol can read them."""
    into_active_ring = engine.capabilities.hands_off and protocol.active and protocol.ring
    return into_active_ring and share_files.of_passive_ring(shares_from, engine.own_parties)


def hand_off(
    shares_from: Path, engine: Engine, protocol: ProtocolName, run_dir: Path, timeout_seconds: float = 60.0
) -> RunResult:
    """All shares of the folder shares_from, as shares of the protocol in run_dir.

    Raises ProtocolAbort where the two holders of a component entered different values.
    """
    with TemporaryFolder() as folder:
        inputs = {}
        count = share_files.count(share_files.share_file(shares_from, engine.own_parties[0]))
        for party in engine.own_parties:
            path = Path(folder, f"party-{party}.bin")
            share_files.write_components(share_files.share_file(shares_from, party), path)
            inputs[party] = InputFiles(binary=path)
        spec = RunSpec(
            program=bundle.program("handoff.mpc"),
            args=(f"columns={count}",),
            protocol=protocol,
            inputs=inputs,
            run_dir=run_dir,
            timeout_seconds=timeout_seconds,
        )
        try:
            return engine.run(spec)
        except ProgramCrash as crash:
            raise ProtocolAbort(
                f"{shares_from}: expected both holders of each component to enter the same shares, got others: a share "
                "file was edited or swapped, or belongs to another run; nothing was verified"
            ) from crash
