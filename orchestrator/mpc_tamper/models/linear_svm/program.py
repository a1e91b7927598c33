"""The programs of the linear SVM, and their arguments."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mpc_tamper.core import bundle
from mpc_tamper.core.errors import ParameterError
from mpc_tamper.models.base import DataSize, Layout, ProgramCall
from mpc_tamper.models.checks import Question
from mpc_tamper.models.encoding import examples_of_classes, signed_examples, write_examples
from mpc_tamper.models.linear_svm.bounds import FixedPoint
from mpc_tamper.models.linear_svm.parameters import Schedule, SvmParameters, outputs
from mpc_tamper.runs.owners import ClientRows, RowSource, StoredRows

LAST_STEP = "UPDATE"  # of an iteration of svm_train.mpc
_PLAIN = 16  # arguments of the paper's training of two classes


def training_call(
    parameters: SvmParameters, constants: FixedPoint, size: DataSize, rows: RowSource, layout: Layout = Layout.ROWS
) -> ProgramCall:
    """svm_train.mpc on rows of the servers' owners, of clients, or of an earlier stage."""
    parameters = parameters.for_classes(size.classes)
    source = "clients" if isinstance(rows, ClientRows) else "shares" if isinstance(rows, StoredRows) else "owners"
    batches = parameters.batches(sum(rows.row_counts))
    args = (
        f"source={source}",
        f"port={rows.port_base if isinstance(rows, ClientRows) else 0}",
        f"carry={rows.carry if isinstance(rows, StoredRows) else 0}",
        "rows=" + ",".join(map(str, rows.row_counts)),
        f"columns={size.features + 1}",
        f"labels={'owner' if rows.labels is None else rows.labels}",
        f"loss={parameters.loss}",
        f"epochs={parameters.iterations}",
        f"batch={batches[0]}",
        f"gain={constants.gain}",
        f"last_gain={constants.last_gain}",
        f"decay={constants.decay}",
        f"shift={constants.shift}",
        f"clip={constants.clip}",
        f"layout={layout}",
        f"width={constants.width}",
        *([f"outputs={outputs(size.classes)}"] if size.classes > 2 else []),
        *([f"schedule={parameters.schedule}"] if parameters.schedule is not Schedule.CONSTANT else []),
        *([f"momentum={parameters.momentum!r}"] if constants.momentum else []),
    )
    if len(args) > _PLAIN:  # what may be left out is, as MP-SPDZ makes all arguments part of a file's name
        usual = ("source=owners", "port=0", "carry=0", f"last_gain={constants.gain}", "clip=0", "layout=rows")
        args = tuple(arg for arg in args if arg not in usual)
    steps = parameters.iterations * len(batches)
    return ProgramCall(bundle.program("svm_train.mpc"), args, loop=(LAST_STEP, steps))


def verification_call(
    question: Question, x: np.ndarray, y: np.ndarray, folder: Path, secret_owner: int | None, columns: int = 1
) -> ProgramCall:
    """svm_verify.mpc on known examples, or for more than two classes svm_classes_verify.mpc.

    x: (m, n) features.  y: (m,) classes from 0.  columns: of the weights.
    """
    check_pixels(question.pixels, question.channels, x.shape[1])
    rows = signed_examples(x, y) if columns == 1 else examples_of_classes(x, y, columns)
    examples, secret = write_examples(folder, rows, secret_owner)
    args = (
        f"columns={x.shape[1] + 1}",
        f"rows={len(x)}",
        f"threshold={question.threshold}",
        f"pixels={question.pixels}",
        f"channels={question.channels}",
        *([] if columns == 1 else [f"outputs={columns}"]),
        *examples,
    )
    inputs = {} if secret is None or secret_owner is None else {secret_owner: secret}
    name = "svm_verify.mpc" if columns == 1 else "svm_classes_verify.mpc"
    return ProgramCall(bundle.program(name), args, inputs)


def query_call(features: int, columns: int = 1, *, with_score: bool, port: int, queries: int) -> ProgramCall:
    """svm_query.mpc, or for more than two classes svm_classes_query.mpc.  columns: of the weights."""
    answer = "score" if with_score else "class"
    args = (f"columns={features + 1}", f"answer={answer}", f"port={port}", f"queries={queries}")
    if columns == 1:
        return ProgramCall(bundle.program("svm_query.mpc"), args)
    return ProgramCall(bundle.program("svm_classes_query.mpc"), (*args, f"outputs={columns}"))


def check_pixels(pixels: int, channels: int, features: int) -> None:
    """Raises ParameterError unless so many features have as many pixel positions."""
    if channels < 1 or features % channels:
        raise ParameterError(f"channels: expected a number that divides the {features} attributes, got {channels}")
    if not 0 <= pixels <= features // channels:
        raise ParameterError(
            f"pixels: expected at most the {features // channels} pixels of an image, got {pixels}: lower it"
        )
