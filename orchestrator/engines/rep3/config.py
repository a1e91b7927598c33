"""What one party is told: a JSON file, so that a party starts the same way here and on another host."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from orchestrator.engines.rep3.handshake import Session
from orchestrator.engines.rep3.transport.tls import Identity
from orchestrator.files import write_atomically
from orchestrator.records import InputFiles


@dataclass(frozen=True)
class PartyConfig:
    """One party's side of a run. Paths are this host's; no field tells anything of the other parties' inputs.

    addresses: where parties 0, 1 and 2 listen.  input_text, input_binary: this party's own private input.
    shares_from: the run folder whose share file is taken over.  plan: this party's additive errors, if it is corrupt.
    insecure_fixed_seed: repeatable pads, for tests only.
    """

    party_id: int
    program: str
    args: tuple[str, ...]
    session: Session
    run_dir: str
    key: str
    certificates: tuple[str, str, str]
    addresses: tuple[tuple[str, int], tuple[str, int], tuple[str, int]]
    timeout_seconds: float
    input_text: str | None = None
    input_binary: str | None = None
    shares_from: str | None = None
    plan: str | None = None
    insecure_fixed_seed: int | None = None

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
        fields["session"] = Session(**fields["session"])
        fields["certificates"] = tuple(fields["certificates"])
        fields["addresses"] = tuple((host, port) for host, port in fields["addresses"])
        return cls(**fields)


def report_file(run_dir: Path, party_id: int) -> Path:
    """Where a party leaves its report: lines and costs, or its error."""
    return run_dir / f"party{party_id}.json"
