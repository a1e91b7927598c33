"""An engine of three hosts: run() runs this host's party, and the other two hosts run theirs at the same time.

Whatever runs programs on an engine then runs on three hosts as it does on one machine, if all three do the same. Inputs
and errors of the other parties are theirs: what a caller gives of them is dropped here, unread.
"""

from __future__ import annotations

from dataclasses import replace

from mpc_tamper.core.errors import EngineUnavailable
from mpc_tamper.engines.base import Engine, OnRemark, OnStep
from mpc_tamper.engines.hosts import Host
from mpc_tamper.runs.result import RunResult
from mpc_tamper.runs.spec import RunSpec


class HostedEngine(Engine):
    """engine: what runs the party.  Raises EngineUnavailable for one without parties."""

    def __init__(self, engine: Engine, host: Host) -> None:
        if not engine.capabilities.parties:
            raise EngineUnavailable(
                f"expected --engine rep3 or mp-spdz for three hosts, got {engine.name}: it has no parties; leave out "
                "--hosts"
            )
        self._engine = engine
        self.name = engine.name
        self.capabilities = engine.capabilities
        self.host = host
        self.threads = engine.threads

    def run(self, spec: RunSpec, on_step: OnStep | None = None, on_remark: OnRemark | None = None) -> RunResult:
        """This host's party. The result holds its report alone, and the lines where it is party 0."""
        assert self.host is not None
        party = self.host.party_id
        ours = spec.corruption if spec.corruption is not None and spec.corruption.party == party else None
        inputs = {owner: files for owner, files in spec.inputs.items() if owner == party}
        threads = self.threads if spec.threads is None else spec.threads
        own = replace(spec, inputs=inputs, corruption=ours, threads=threads)
        return self._engine.run_party(own, self.host, on_step, on_remark)
