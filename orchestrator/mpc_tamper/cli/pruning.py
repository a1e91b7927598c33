"""mpc-tamper pruning: pruning and tuning against backdoors whose attacker does not know of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from mpc_tamper.cli import console
from mpc_tamper.cli.configuration import configured
from mpc_tamper.cli.options import EngineOption, QuietOption, ThreadsOption, integers
from mpc_tamper.cli.places import local_engine
from mpc_tamper.cli.results import OutOption
from mpc_tamper.core.progress import shown
from mpc_tamper.runs.protocols import PARTIES, EngineName


@configured()
def pruning(
    seeds: Annotated[
        str, typer.Option("--seeds", metavar="N[,N]", help="Seeds of the trainings, separated by commas.")
    ] = "1,2,3",
    engine: EngineOption = EngineName.REP3,
    corrupt_party: Annotated[
        int, typer.Option("--corrupt-party", min=0, max=PARTIES - 1, help="The party that adds the errors.")
    ] = 1,
    threads: ThreadsOption = None,
    out: OutOption = Path("results"),
    quiet: QuietOption = False,
    *,
    configuration: Mapping[str, Any],
) -> None:
    """Prune and tune networks with backdoors that were planted without knowing of it: pruning.json, .md."""
    from mpc_tamper.report.pruning import PRUNING_MARKDOWN
    from mpc_tamper.studies.pruning import study_pruning

    chosen = integers(seeds, "--seeds", ",".join(["N"] * (seeds.count(",") + 1)))
    with shown(quiet=quiet) as progress:
        study_pruning(
            local_engine(engine, threads=threads),
            out,
            seeds=chosen,
            corrupt_party=corrupt_party,
            configuration=configuration,
            progress=progress,
        )
    console.say((out / PRUNING_MARKDOWN).read_text(encoding="utf-8"))
