"""mpc-tamper verify: does a secret model classify known examples as well as it should?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mpc_tamper.cli import console
from mpc_tamper.cli.data_options import DATA_METAVAR, TableOptions
from mpc_tamper.cli.options import (
    ClassesOption,
    CorruptPartyOption,
    DownloadOption,
    EngineOption,
    InsecurePassiveOption,
    JsonOption,
    MaxVerdictsOption,
    QuietOption,
    RootOption,
    TimeoutOption,
    corruption,
    with_options,
)
from mpc_tamper.cli.places import PlaceOptions
from mpc_tamper.core.errors import ParameterError
from mpc_tamper.core.progress import shown
from mpc_tamper.runs.protocols import PARTIES, EngineName, ProtocolName
from mpc_tamper.runs.spec import MAX_VERDICTS

if TYPE_CHECKING:
    from mpc_tamper.models.checks import Check

_RIGHT, _TURNED = 0.99, 0.5  # default thresholds
FAILED = 1  # exit code of a verdict; aborts and errors have others


@with_options(TableOptions, PlaceOptions)
def verify(
    options: TableOptions,
    place: PlaceOptions,
    run_dir: Annotated[Path, typer.Argument(metavar="RUN_DIR", help="The folder that the training got as --run-dir.")],
    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            metavar=DATA_METAVAR,
            help="The data set with the test images. (default: that of the training, or mnist_0_1)",
        ),
    ] = None,
    classes: ClassesOption = None,
    root: RootOption = None,
    download: DownloadOption = False,
    threshold: Annotated[
        float | None,
        typer.Option(
            "--threshold",
            help="The least share of correct examples; with --patch-scan, the share that a patch may not turn. "
            "(default: 0.99; 0.5)",
        ),
    ] = None,
    robustness: Annotated[
        int | None,
        typer.Option(
            "--robustness", metavar="K", help="Count examples that stay correct whatever K pixels or features change."
        ),
    ] = None,
    patch_scan: Annotated[
        int | None,
        typer.Option("--patch-scan", metavar="SIDE", help="Ask whether a white square makes one class of most images."),
    ] = None,
    stride: Annotated[
        int, typer.Option("--stride", min=1, help="The step, in pixels, between the places of --patch-scan.")
    ] = 1,
    engine: EngineOption = EngineName.REP3,
    protocol: Annotated[
        ProtocolName,
        typer.Option(
            "--protocol", metavar="NAME", help="The active protocol to verify with: mal-rep-ring, or one of mp-spdz."
        ),
    ] = ProtocolName.MAL_REP_RING,
    tests: Annotated[
        int | None, typer.Option("--tests", min=2, help="Take N test images, evenly spread. (default: all)")
    ] = None,
    secret_owner: Annotated[
        int | None,
        typer.Option(
            "--secret-owner",
            min=0,
            max=PARTIES - 1,
            help="The party whose secret the test images are. (default: public)",
        ),
    ] = None,
    plan: Annotated[Path | None, typer.Option("--plan", help="A file of additive errors for the verification.")] = None,
    corrupt_party: CorruptPartyOption = None,
    max_verdicts: MaxVerdictsOption = MAX_VERDICTS,
    insecure_passive: InsecurePassiveOption = False,
    timeout: TimeoutOption = 60.0,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Open one bit: does the model classify enough examples correctly? The exit code is 0 for a pass, 1 for a fail.

    With --robustness K: also whatever K pixels change. With --patch-scan SIDE, of networks: is there no place where a
    white square makes one class of most images? Take a few dozen --tests for that.
    """
    import numpy as np

    from mpc_tamper.records.trainings import VERIFICATION
    from mpc_tamper.workflows import agreement, verification
    from mpc_tamper.workflows.stages import shares_of

    runs_on = place.engine(engine, quiet=quiet)
    shares = shares_of(run_dir)
    of_another = runs_on.host is not None and secret_owner not in (None, runs_on.host.party_id)
    if of_another:
        assert secret_owner is not None
        x, y, described = agreement.unseen_examples(runs_on, shares, secret_owner)
        shape = described.image_shape or ()
    else:
        source = options.of_run(shares, data, classes, root) or options.source("mnist_0_1", classes, root)
        task = source.load(download=download)
        if patch_scan is not None:
            task.require_images("--patch-scan")
        available = len(task.x_test)
        if tests is not None and tests > available:
            raise ParameterError(f"--tests: expected at most the {available} test images of {task.name}, got {tests}")
        chosen = np.linspace(0, available - 1, tests or available).astype(int)
        x, y, shape = task.x_test[chosen], task.y_test[chosen], task.image_shape
        if runs_on.host is not None and secret_owner is not None:
            agreement.tell_examples(runs_on, len(x))
    check = _check(robustness, patch_scan, stride, threshold, shape[-2] if shape else 0)
    if insecure_passive:
        console.warn("a passive protocol; a corrupt party can forge this verdict")
    with shown(quiet=quiet) as progress:
        found = verification.verify(
            shares,
            x,
            y,
            check,
            engine=runs_on,
            protocol=protocol,
            channels=shape[0] if len(shape) == 3 else 1,
            secret_owner=secret_owner,
            corruption=corruption(plan, corrupt_party),
            timeout_seconds=timeout,
            max_verdicts=max_verdicts,
            insecure_passive=insecure_passive,
            progress=progress,
        )
    record = found.record()
    if as_json:
        console.say(VERIFICATION.text(record, "record", indent=2).rstrip("\n"))
    else:
        console.say(f"{'pass' if found.verdict.passed else 'fail'}: {found.verdict.found}")
        if not quiet:
            console.note(
                f"{engine} {protocol}, verification {found.number} of this model: {record['seconds']:.2f} s, "
                f"{record['bytes_per_party']:,} bytes and {record['rounds']} rounds per party"
            )
    if not found.verdict.passed:
        raise typer.Exit(FAILED)


def _check(robustness: int | None, patch_scan: int | None, stride: int, threshold: float | None, height: int) -> Check:
    from mpc_tamper.defences.accuracy import AccuracyThreshold
    from mpc_tamper.defences.patch_scan import PatchScan
    from mpc_tamper.defences.robustness import PixelRobustness

    if robustness is not None and patch_scan is not None:
        raise ParameterError("expected --robustness or --patch-scan, got both; ask one question at a time")
    if patch_scan is not None:
        return PatchScan(patch_scan, stride, _TURNED if threshold is None else threshold, height)
    least = _RIGHT if threshold is None else threshold
    return AccuracyThreshold(least) if robustness is None else PixelRobustness(robustness, least)
