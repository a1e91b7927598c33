"""mpc-tamper matrix, rerun and probe: every attack against every defence, reruns of cells, what a verdict leaks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from mpc_tamper.cli import console
from mpc_tamper.cli.configuration import configured
from mpc_tamper.cli.data_options import TableOptions
from mpc_tamper.cli.model_options import ModelOption
from mpc_tamper.cli.options import (
    ClassesOption,
    DownloadOption,
    EngineOption,
    JobsOption,
    QuietOption,
    RootOption,
    RowsOption,
    SchedulerOption,
    ThreadsOption,
    with_options,
)
from mpc_tamper.cli.places import NetworkOption, local_engine
from mpc_tamper.cli.results import OutOption
from mpc_tamper.core.errors import UsageError
from mpc_tamper.core.progress import shown
from mpc_tamper.models.registry import DEFAULT
from mpc_tamper.runs.protocols import PARTIES, EngineName

Cifar10Option = Annotated[
    Path | None, typer.Option("--cifar10", metavar="FILE|DIR", help="Where airplane and automobile of CIFAR-10 are.")
]
FEWEST_MODELS = 5  # that a threshold is calibrated with
DIFFERENT = 1  # exit code of a rerun that gives something else

DatasetsOption = Annotated[
    list[str] | None,
    typer.Option("--data", metavar="NAME|FILE|DIR", help="A data set, as in mpc-tamper datasets list; repeatable."),
]
QuickOption = Annotated[
    bool, typer.Option("--quick", help="Take few rows and iterations, to see that everything runs.")
]


@configured()
@with_options(TableOptions)
def matrix(
    options: TableOptions,
    data: DatasetsOption = None,
    classes: ClassesOption = None,
    root: RootOption = None,
    download: DownloadOption = False,
    model: ModelOption = DEFAULT,
    cifar10: Cifar10Option = None,
    rows: RowsOption = None,
    tests: Annotated[
        int | None, typer.Option("--tests", min=2, help="Measure on N test images, evenly spread. (default: all)")
    ] = None,
    random_state: Annotated[
        int | None,
        typer.Option("--random-state", min=0, help="Seed of a training that draws something, such as a network's."),
    ] = None,
    quick: QuickOption = False,
    attacks: Annotated[
        list[str] | None,
        typer.Option("--attack", metavar="NAME", help="Run only this attack; repeatable. (default: all)"),
    ] = None,
    defences: Annotated[
        list[str] | None,
        typer.Option("--defence", metavar="NAME", help="Run only this defence; repeatable. (default: all)"),
    ] = None,
    calibrate: Annotated[
        bool,
        typer.Option(
            "--calibrate",
            help="Take the thresholds of checks from honest models of these data, choose strengths on other rows than "
            "those that success is measured on, and write matrix-own.*.",
        ),
    ] = False,
    calibration_models: Annotated[
        int | None,
        typer.Option("--calibration-models", min=FEWEST_MODELS, help="Calibrate with N honest models. (default: 20)"),
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option("--seeds", min=1, help="Train N models for each cell of a calibrated matrix. (default: 1)"),
    ] = None,
    plain: Annotated[
        bool,
        typer.Option(
            "--plain",
            help="Train the models of a calibrated matrix as those of the others, which for the linear SVM is the "
            "paper's constant step. (default: as train does)",
        ),
    ] = False,
    engine: EngineOption = EngineName.REP3,
    corrupt_party: Annotated[
        int, typer.Option("--corrupt-party", min=0, max=PARTIES - 1, help="The party that adds the errors.")
    ] = 1,
    network: NetworkOption = None,
    threads: ThreadsOption = None,
    jobs: JobsOption = 1,
    scheduler: SchedulerOption = None,
    out: OutOption = Path("results"),
    quiet: QuietOption = False,
    *,
    configuration: Mapping[str, Any],
) -> None:
    """Run every attack against every defence: matrix.jsonl, .csv, .md and pictures. An interrupted run continues.

    Attacks and defences that ask for what the model lacks are left out unless they are named. Another model than the
    default one has files of its own, such as matrix-mlp.jsonl. Data of your own need --calibrate: without it checks ask
    for what MNIST's or CIFAR-10's models reach. Several runs may write into one folder at once.
    """
    from mpc_tamper.datasets.airplane_automobile import load_airplane_automobile
    from mpc_tamper.datasets.rows import part_of
    from mpc_tamper.models.registry import get_model
    from mpc_tamper.report.matrix import MARKDOWN
    from mpc_tamper.report.matrix_record import MATRIX
    from mpc_tamper.studies.matrix import matrix as experiment
    from mpc_tamper.studies.matrix.calibration import MODELS
    from mpc_tamper.studies.matrix.study import Study
    from mpc_tamper.studies.sweeps import schedulers

    if quick and (rows is not None or tests is not None):
        got = "--rows" if rows is not None else "--tests"
        raise UsageError(f"expected --quick or {got}, got both; --quick takes rows of its own choice")
    if not calibrate and (calibration_models is not None or seeds is not None or plain):
        got = "--plain" if plain else "--seeds" if seeds is not None else "--calibration-models"
        raise UsageError(f"expected {got} with --calibrate, got it alone; the thresholds of the matrix are for one run")
    if calibrate and quick:
        raise UsageError("expected --calibrate or --quick, got both; for few rows, name them: --rows and --tests")
    runs_on = local_engine(engine, network=network, threads=threads)
    names = data or ["mnist_0_1"]
    tasks = [options.task_of(name, classes, root, download=download) for name in names]
    kind, name = get_model(model), "-".join([MATRIX, *["own"] * calibrate, *[model] * (model != DEFAULT)])
    sources: list[str | None] = [None] * len(tasks)
    if cifar10 is not None:
        task, copy = load_airplane_automobile(cifar10)
        tasks.append(task)
        sources.append(str(copy))
    if rows is not None or tests is not None:
        tasks = [part_of(task, rows, tests) for task in tasks]
    copies = list(zip(tasks, sources, strict=True))
    runs_jobs = schedulers.scheduler(jobs, scheduler)
    with shown(quiet=quiet) as progress:
        if calibrate:
            number = MODELS if calibration_models is None else calibration_models
            studies = [
                Study.calibrated(
                    task,
                    source,
                    model=kind,
                    parameters=kind.suggested(task.image_shape, len(task.classes)) if plain else None,
                    random_state=random_state,
                    models=number,
                    progress=progress,
                )
                for task, source in copies
            ]
        else:
            studies = [
                Study.of(task, source, model=kind, quick=quick, random_state=random_state) for task, source in copies
            ]
        experiment.run_matrix(
            studies,
            out,
            engine=runs_on,
            attacks=attacks,
            defences=defences,
            corrupt_party=corrupt_party,
            seeds=range(seeds or 1),
            name=name,
            scheduler=runs_jobs,
            configuration=configuration,
            progress=progress,
        )
    console.say((out / f"{name}{MARKDOWN}").read_text(encoding="utf-8"))


@with_options(TableOptions)
def rerun(
    options: TableOptions,
    record: Annotated[Path, typer.Argument(metavar="MATRIX.jsonl", help="The record that mpc-tamper matrix wrote.")],
    attack: Annotated[
        str | None, typer.Option("--attack", help="Run cells of this attack only. (default: any)")
    ] = None,
    defence: Annotated[
        str | None, typer.Option("--defence", help="Run cells of this defence only. (default: any)")
    ] = None,
    data: Annotated[
        str, typer.Option("--data", metavar="NAME|FILE|DIR", help="Run cells of this data set.")
    ] = "mnist_0_1",
    classes: ClassesOption = None,
    root: RootOption = None,
    model: ModelOption = DEFAULT,
    cifar10: Cifar10Option = None,
    sample: Annotated[
        int | None, typer.Option("--sample", min=1, help="Run this many cells, spread evenly. (default: all)")
    ] = None,
    engine: EngineOption = EngineName.REP3,
    threads: ThreadsOption = None,
    quiet: QuietOption = False,
) -> None:
    """Run cells of a matrix again and compare. The exit code is 0 if all give the same, else 1.

    Bytes and rounds that differ are said too, but count for nothing: they are those of the version that wrote the
    record.
    """
    from mpc_tamper.datasets.airplane_automobile import load_airplane_automobile
    from mpc_tamper.models.registry import get_model
    from mpc_tamper.studies.matrix import matrix as experiment

    runs_on = local_engine(engine, threads=threads)
    source: str | None = None
    if cifar10 is None:
        task = options.task_of(data, classes, root)
    else:
        task, source = load_airplane_automobile(cifar10)
    different = False
    with shown(quiet=quiet) as progress:
        found = experiment.rerun_cells(
            record,
            task,
            runs_on,
            model=get_model(model),
            source=source,
            attack=attack,
            defence=defence,
            sample=sample,
            progress=progress,
        )
        for cell, differences in found:
            different |= not differences.keys() <= set(experiment.COSTS)
            said = ", ".join(f"{field}: {then} then, {now} now" for field, (then, now) in differences.items())
            console.say(f"{cell['dataset']} {cell['attack']} {cell['defence']}: {said or 'the same'}")
    if different:
        raise typer.Exit(DIFFERENT)


@configured()
def probe(
    questions: Annotated[
        int, typer.Option("--questions", min=1, help="How many verdicts to ask for, for each method and class.")
    ] = 8,
    repeats: Annotated[
        int, typer.Option("--repeats", min=1, help="How many comparisons for each gate, plane and size.")
    ] = 100,
    corrupt_party: Annotated[
        int, typer.Option("--corrupt-party", min=0, max=PARTIES - 1, help="The party that adds the errors.")
    ] = 1,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the values compared and the rows asked for.")] = 1,
    threads: ThreadsOption = None,
    out: OutOption = Path("results"),
    quiet: QuietOption = False,
    *,
    configuration: Mapping[str, Any],
) -> None:
    """Measure how errors inside a comparison depend on the secret, and what a verdict then tells about a row."""
    from mpc_tamper.report.probing import PROBING_MARKDOWN
    from mpc_tamper.studies.leaks import probing

    with shown(quiet=quiet) as progress:
        probing.probe(
            local_engine(EngineName.REP3, threads=threads),
            out,
            repeats=repeats,
            questions=questions,
            corrupt_party=corrupt_party,
            seed=seed,
            configuration=configuration,
            progress=progress,
        )
    console.say((out / PROBING_MARKDOWN).read_text(encoding="utf-8"))
