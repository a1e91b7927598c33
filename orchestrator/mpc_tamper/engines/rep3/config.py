"""What one party is told: a JSON file, so that a party starts the same way here and on another host."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from mpc_tamper.core.files import write_atomically
from mpc_tamper.engines.hosts import Address, Addresses
from mpc_tamper.engines.rep3.transport.tls import Identity
from mpc_tamper.runs.spec import InputFiles, RunSpec

EXIT_SYSTEM = 110  # a party's exit code is this plus an errno where the system refused it even room for its report
REMARK = "! "  # begins a line of the progress pipe that is a remark, not a step


@dataclass(frozen=True)
class PartyConfig:
    """One party's side of a run. Paths are this host's; no field tells anything of the other parties' inputs.

    addresses: where parties 0, 1 and 2 listen.  timeout_seconds: for a message; connect_timeout_seconds: until all
    three have met.  input_text, input_binary: this party's own private input.
    shares_from: the run folder whose share file is taken over.  plan: this party's additive errors, if it is corrupt.
    insecure_fixed_seed: repeatable pads, for tests only.
    budget: how many bytes of memory this party may fill; None for no limit.  threads: of its own computation.
    simulated_hours: how long the run is to seem to have gone on already (protocol/age.py).
    client_identities, known_clients, client_budget, clients_together: see runs.spec.ClientAccess.
    """

    party_id: int
    program: str
    args: tuple[str, ...]
    protocol: str
    run_dir: str
    key: str
    certificates: tuple[str, str, str]
    addresses: Addresses
    timeout_seconds: float
    connect_timeout_seconds: float
    input_text: str | None = None
    input_binary: str | None = None
    shares_from: str | None = None
    plan: str | None = None
    insecure_fixed_seed: int | None = None
    budget: int | None = None
    simulated_hours: float = 0.0
    client_identities: str | None = None
    known_clients: str | None = None
    client_budget: int | None = None
    clients_together: int = 1
    threads: int = 1

    @classmethod
    def of(
        cls,
        spec: RunSpec,
        party_id: int,
        addresses: Addresses,
        key: Path,
        certificates: tuple[Path, Path, Path],
        *,
        connect_timeout_seconds: float,
        insecure_fixed_seed: int | None = None,
        budget: int | None = None,
        simulated_hours: float = 0.0,
    ) -> PartyConfig:
        """What of a run is this party's. Writes the plan below run_dir if it is the corrupt one."""
        plan = None
        if spec.corruption is not None and spec.corruption.party == party_id:
            plan = parties_folder(spec.run_dir) / "additive_errors.txt"
            spec.corruption.plan.write(plan)
        inputs = spec.inputs.get(party_id, InputFiles())
        return cls(
            party_id=party_id,
            program=str(spec.program),
            args=spec.args,
            protocol=spec.protocol,
            run_dir=str(spec.run_dir),
            key=str(key),
            certificates=(str(certificates[0]), str(certificates[1]), str(certificates[2])),
            addresses=addresses,
            timeout_seconds=spec.timeout_seconds,
            connect_timeout_seconds=connect_timeout_seconds,
            input_text=_text(inputs.text),
            input_binary=_text(inputs.binary),
            shares_from=_text(spec.shares_from),
            plan=_text(plan),
            insecure_fixed_seed=insecure_fixed_seed,
            budget=budget,
            simulated_hours=simulated_hours,
            client_identities=_text(spec.clients.identities),
            known_clients=_text(spec.clients.known),
            client_budget=spec.clients.budget,
            clients_together=spec.clients.together,
            threads=spec.threads or 1,
        )

    @property
    def identity(self) -> Identity:
        first, second, third = (Path(c) for c in self.certificates)
        return Identity(self.party_id, Path(self.key), (first, second, third))

    @property
    def inputs(self) -> InputFiles:
        return InputFiles(
            Path(self.input_text) if self.input_text else None, Path(self.input_binary) if self.input_binary else None
        )

    def write(self, path: Path) -> None:
        write_atomically(path, json.dumps(asdict(self), indent=1) + "\n")

    @classmethod
    def read(cls, path: Path) -> PartyConfig:
        fields = json.loads(path.read_text(encoding="utf-8"))
        fields["args"] = tuple(fields["args"])
        fields["certificates"] = tuple(fields["certificates"])
        fields["addresses"] = tuple(Address(host, port) for host, port in fields["addresses"])
        return cls(**fields)


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def parties_folder(run_dir: Path) -> Path:
    """Where keys, configurations and the plan of a run on this machine lie."""
    return run_dir / "parties"


def report_file(run_dir: Path, party_id: int) -> Path:
    """Where a party leaves its report: lines and costs, or its error."""
    return run_dir / f"party{party_id}.json"
