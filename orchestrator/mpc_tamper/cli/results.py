"""mpc-tamper reproduce and bench: the results that the README shows."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mpc_tamper.cli import console
from mpc_tamper.cli.configuration import configured
from mpc_tamper.cli.model_options import ModelOption
from mpc_tamper.cli.options import EngineOption, QuietOption, ThreadsOption
from mpc_tamper.cli.places import NetworkOption, local_engine
from mpc_tamper.core.errors import ParameterError
from mpc_tamper.core.progress import shown
from mpc_tamper.models.registry import DEFAULT
from mpc_tamper.runs.protocols import PARTIES, EngineName

if TYPE_CHECKING:
    from mpc_tamper.engines.base import Engine

MP_SPDZ_HOME = "MP_SPDZ_HOME"
OutOption = Annotated[Path, typer.Option("--out", readable=False, metavar="DIR", help="The folder to write to.")]


@configured()
def reproduce(
    engine: EngineOption = EngineName.REP3,
    out: OutOption = Path("results"),
    corrupt_party: Annotated[
        int, typer.Option("--corrupt-party", min=0, max=PARTIES - 1, help="The party that plants the backdoor.")
    ] = 1,
    cifar10: Annotated[
        Path | None,
        typer.Option(
            "--cifar10",
            metavar="FILE|DIR",
            help="Add CIFAR-10, from torchvision's folder or an .npz of airplane and automobile.",
        ),
    ] = None,
    model: ModelOption = DEFAULT,
    network: NetworkOption = None,
    threads: ThreadsOption = None,
    quiet: QuietOption = False,
    *,
    configuration: Mapping[str, Any],
) -> None:
    """Make the paper's Table 1 (table1.json, .csv, .md), Figure 1 and, with CIFAR-10, Figure 2.

    With --model mlp: a Table 1 of networks (table1-mlp.json, .csv, .md) and a picture of the planted neuron.
    """
    from mpc_tamper.report.table1 import CIFAR10_FILES, FILES, TABLE_MARKDOWN
    from mpc_tamper.studies import table1

    runs_on = local_engine(engine, network=network, threads=threads)
    if model != DEFAULT:
        _networks(model, runs_on, out, corrupt_party, cifar10, configuration, quiet=quiet)
        return
    with shown(quiet=quiet) as progress:
        table1.reproduce(
            runs_on,
            out,
            cifar10=cifar10,
            corrupt_party=corrupt_party,
            configuration=configuration,
            progress=progress,
        )
    console.say((out / TABLE_MARKDOWN).read_text(encoding="utf-8"))
    console.say(f"written to {out}: {', '.join(FILES if cifar10 is None else FILES + CIFAR10_FILES)}")


def _networks(
    model: str,
    engine: Engine,
    out: Path,
    corrupt_party: int,
    cifar10: Path | None,
    configuration: Mapping[str, Any],
    *,
    quiet: bool,
) -> None:
    from mpc_tamper.report.networks import FILES, TABLE_MARKDOWN
    from mpc_tamper.studies.networks import NETWORK, reproduce_networks

    if model != NETWORK or cifar10 is not None:
        got = f"--model {model}" if cifar10 is None else "--cifar10"
        raise ParameterError(
            f"expected --model {DEFAULT}, with or without --cifar10, or --model {NETWORK} alone, got {got}; leave it "
            "out"
        )
    with shown(quiet=quiet) as progress:
        reproduce_networks(engine, out, corrupt_party=corrupt_party, configuration=configuration, progress=progress)
    console.say((out / TABLE_MARKDOWN).read_text(encoding="utf-8"))
    console.say(f"written to {out}: {', '.join(FILES)}")


@configured()
def bench(
    out: OutOption = Path("results"),
    iterations: Annotated[int | None, typer.Option("--iterations", help="How many steps of the SVM to time.")] = None,
    repetitions: Annotated[
        int | None, typer.Option("--repetitions", min=1, help="How often to run whole trainings. (default: 3)")
    ] = None,
    only: Annotated[
        str | None,
        typer.Option(
            "--only",
            metavar="PART,...",
            help="Measure these parts, of svm, networks, spu, scaling, threads, products and start_up; the others stay "
            "as the record in DIR has them. (default: all)",
        ),
    ] = None,
    threads: ThreadsOption = None,
    quiet: QuietOption = False,
    *,
    configuration: Mapping[str, Any],
) -> None:
    """Time training on rep3 against plaintext NumPy, MP-SPDZ (if MP_SPDZ_HOME is set) and SPU (if it is installed).

    Writes bench.json and bench.md, part by part. Wants an idle machine, and about eight minutes.
    """
    from mpc_tamper.engines.registry import get_engine
    from mpc_tamper.report.bench import BENCH_JSON, BENCH_MARKDOWN
    from mpc_tamper.studies import bench as experiment

    with shown(quiet=quiet) as progress:
        experiment.bench(
            local_engine(EngineName.REP3, threads=threads),
            out,
            reference=get_engine(EngineName.MP_SPDZ) if MP_SPDZ_HOME in os.environ else None,
            iterations=experiment.ITERATIONS if iterations is None else iterations,
            repetitions=experiment.REPETITIONS if repetitions is None else repetitions,
            only=experiment.PARTS if only is None else [part.strip() for part in only.split(",")],
            configuration=configuration,
            progress=progress,
        )
    console.say((out / BENCH_MARKDOWN).read_text(encoding="utf-8"))
    console.say(f"written to {out}: {BENCH_JSON}, {BENCH_MARKDOWN}")
