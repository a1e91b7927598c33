"""The cells of a matrix as jobs: what a worker, here or elsewhere, is given, and the files that it writes.

A job is some cells of one model. Those of one attack share trainings, and all share an attacker's rehearsals, so that
they are one job where nobody else could run a part of them. Each cell is written as soon as it is there: a worker that
is killed loses the cell that it was at.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from mpc_tamper.core.errors import ParameterError
from mpc_tamper.core.progress import Progress
from mpc_tamper.datasets.task import Task
from mpc_tamper.defences.base import unchanged
from mpc_tamper.engines.base import Engine
from mpc_tamper.models.parameters import recorded
from mpc_tamper.models.registry import get_model
from mpc_tamper.report.matrix_record import SECONDS
from mpc_tamper.report.seeds import SEED
from mpc_tamper.studies.environment import environment
from mpc_tamper.studies.matrix.cells import run_cells
from mpc_tamper.studies.matrix.study import Study
from mpc_tamper.studies.sweeps.company import company
from mpc_tamper.studies.sweeps.files import ResultFiles

LEFT_OUT = (  # of the cell of one seed, where there is no such thing
    *("check_protocol", "seconds_to_abort", "soundness_error", "insecure_fixed_seed", "corrupt_party", "settings"),
    *("plans", "plan_errors", "sites"),
)


@dataclass(frozen=True)
class CellJob:
    """seed: of a calibrated study; None for another.  wanted: pairs of an attack and a defence."""

    dataset: str
    seed: int | None
    wanted: tuple[tuple[str, str], ...]

    @property
    def of(self) -> str:
        """The data set, with the seed where there is one."""
        return self.dataset if self.seed is None else f"{self.dataset}, seed {self.seed}"

    def __str__(self) -> str:
        return f"{self.of}: {', '.join(dict.fromkeys(attack for attack, _ in self.wanted))}"

    def by_attack(self) -> list[CellJob]:
        attacks = dict.fromkeys(attack for attack, _ in self.wanted)
        return [replace(self, wanted=tuple(pair for pair in self.wanted if pair[0] == attack)) for attack in attacks]


@dataclass(frozen=True, eq=False)
class StudyToMake:
    """A study as it travels: by what it is made of. Made again elsewhere, it has to come to the same record."""

    whole: Task
    source: str
    model: str
    name: str
    record: Mapping[str, Any]
    refused: Mapping[str, str]

    @classmethod
    def of(cls, study: Study) -> StudyToMake:
        """Raises ParameterError for a study that was put together by hand, which nobody else could make."""
        if study.whole is None:
            raise ParameterError(
                f"{study.name}: expected a study made by Study.of or Study.calibrated, got one of parts, which other "
                "processes cannot make; run it without --jobs and --scheduler"
            )
        facts = study.record()
        return cls(study.whole, study.source, study.model.name, study.name, facts, dict(study.refused))

    def make(self) -> Study:
        """Raises ParameterError where this software, or its plug-ins, are not those that the record is of."""
        study = Study.again(self.whole, {self.name: self.record}, self.source, get_model(self.model))
        return replace(study, refused=self.refused)


@dataclass(frozen=True, eq=False)
class Laboratory:
    """What all jobs of a matrix have in common.

    apart: whether jobs run beside each other.  studies: by name; made where the first job of each asks for it.
    written: called after each file, in the process that runs the sweep alone.  configuration: the options of the
    command that asked for the sweep; None where no command did.
    """

    files: ResultFiles
    engine: Engine
    corrupt_party: int
    apart: bool
    studies: Mapping[str, Study | StudyToMake]
    written: Callable[[], None] | None = None
    configuration: Mapping[str, Any] | None = None
    _made: dict[tuple[str, int | None], Study] = field(default_factory=dict)

    def study(self, name: str, seed: int | None) -> Study:
        """seed: of a calibrated study, whose model it is; None for the study itself."""
        if (name, seed) not in self._made:
            if seed is None:
                known = self.studies[name]
                self._made[name, None] = known if isinstance(known, Study) else known.make()
            else:
                self._made[name, seed] = self.study(name, None).of_seed(seed)
        return self._made[name, seed]

    def key(self, job: CellJob, attack: str, defence: str) -> dict[str, Any]:
        """Of a cell's file: what its result depends on, besides the software."""
        known = self.studies[job.dataset]
        facts = known.record() if isinstance(known, Study) else known.record
        names = {"dataset": job.dataset, "attack": attack, "defence": defence, SEED: job.seed}
        return names | {"study": facts, "engine": str(self.engine.name), "corrupt_party": self.corrupt_party}


def run_job(laboratory: Laboratory, job: CellJob, progress: Progress) -> None:
    """Write a file for each cell that has none."""
    study = laboratory.study(job.dataset, job.seed)
    files, whole = laboratory.files, laboratory.study(job.dataset, None)
    wanted = [pair for pair in job.wanted if files.get(laboratory.key(job, *pair)) is None]
    facts = {key: value for key, value in environment().items() if key != "commit"}  # a cell's own
    with company() as kept:
        for cell in run_cells(study, wanted, laboratory.engine, laboratory.corrupt_party, progress):
            record = dict(cell.record)
            if "seconds" in record and (laboratory.apart or not kept.alone()):
                record |= {**dict.fromkeys(SECONDS), "beside_others": True}
            defence = study.defences.get(record["defence"])
            drawn = cell.weights is not None and defence is not None and defence.change is unchanged
            picture = whole.picture if drawn and not job.seed else None  # of many seeds the first
            found = {
                "cell": record if job.seed is None else cell_of_seed(record, job.seed, whole),
                "picture": None if picture is None else picture | {"weights": cell.weights},
                "environment": facts,
                "configuration": laboratory.configuration,
            }
            files.put(laboratory.key(job, record["attack"], record["defence"]), found)
            if laboratory.written is not None:
                laboratory.written()


def cell_of_seed(cell: Mapping[str, Any], seed: int, study: Study) -> dict[str, Any]:
    """The cell of one seed. There are many, so what the study says already and what was not there is left out."""
    common = recorded(study.parameters)
    kept = {
        key: value
        for key, value in cell.items()
        if not (key == "parameters" and value == common) and not (key in LEFT_OUT and value in (None, {}, []))
    }
    return kept | {SEED: seed}
