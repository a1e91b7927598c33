"""The programs that ask a trained network something, and their arguments."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

import numpy as np

from mpc_tamper.core import bundle
from mpc_tamper.core.errors import DataError, ParameterError
from mpc_tamper.models.base import ProgramCall
from mpc_tamper.models.checks import Patch, Question
from mpc_tamper.models.encoding import integer_rows, write_examples
from mpc_tamper.models.mlp.robustness import check_classes, check_pixels, limits
from mpc_tamper.models.mlp.scan import check_patch
from mpc_tamper.runs.spec import InputFiles


def verification_call(
    question: Question,
    x: np.ndarray,
    y: np.ndarray,
    folder: Path,
    secret_owner: int | None,
    architecture: Mapping[str, int],
) -> ProgramCall:
    """The program that answers the question: mlp_scan.mpc where it is about a patch, else mlp_verify.mpc.

    x: (m, n) features.  y: (m,) classes, two different ones at least: a network of one class only is right on all of
    that.  folder: for their file.  secret_owner: the party whose secret they are.
    """
    if not architecture:
        raise _no_architecture()
    if question.patch is not None:
        return scan_call(question.patch, x, y, folder, secret_owner, architecture)
    check_pixels(question.pixels, question.channels, x.shape[1], architecture["outputs"])
    if question.pixels and x.dtype != np.uint8:
        raise DataError(f"certificate: expected images of uint8, got {x.dtype}: what a pixel can change is not known")
    bound = limits(architecture, x.shape[1] + 1, question.pixels, question.channels)
    examples, inputs = _examples(folder, x, y, secret_owner, architecture)
    args = (
        *_sizes(x.shape[1], architecture),
        f"rows={len(x)}",
        f"threshold={question.threshold}",
        f"pixels={question.pixels}",
        f"channels={question.channels}",
        f"limits={bound.first},{bound.second},{bound.sensitivity}",
        *examples,
    )
    return ProgramCall(bundle.program("mlp_verify.mpc"), args, inputs)


def scan_call(
    patch: Patch,
    x: np.ndarray,
    y: np.ndarray,
    folder: Path,
    secret_owner: int | None,
    architecture: Mapping[str, int],
) -> ProgramCall:
    """mlp_scan.mpc: does a white patch at some place make one class of too many of the others?"""
    check_patch(patch, x.shape[1])
    if x.dtype != np.uint8:
        raise DataError(f"patch scan: expected images of uint8, got {x.dtype}: features have no white patches")
    examples, inputs = _examples(folder, x, y, secret_owner, architecture)
    share = Fraction(repr(float(patch.threshold)))  # 0.99 is taken for 99/100, not its binary form
    args = (
        *_sizes(x.shape[1], architecture),
        f"rows={len(x)}",
        f"height={patch.height}",
        f"width={patch.width}",
        f"side={patch.side}",
        f"stride={patch.stride}",
        f"share={share.numerator}/{share.denominator}",
        *examples,
    )
    return ProgramCall(bundle.program("mlp_scan.mpc"), args, inputs)


def query_call(
    features: int, *, with_score: bool, port: int, queries: int, architecture: Mapping[str, int]
) -> ProgramCall:
    """mlp_query.mpc."""
    answer = "score" if with_score else "class"
    args = (*_sizes(features, architecture), f"answer={answer}", f"port={port}", f"queries={queries}")
    return ProgramCall(bundle.program("mlp_query.mpc"), args)


def _sizes(features: int, architecture: Mapping[str, int]) -> tuple[str, ...]:
    if not architecture:
        raise _no_architecture()
    sizes = tuple(f"{name}={architecture[name]}" for name in ("hidden", "outputs", "cap"))
    return (f"columns={features + 1}", *sizes)


def _no_architecture() -> ParameterError:
    return ParameterError("expected what the network's training left beside its shares, got nothing")


def _examples(
    folder: Path, x: np.ndarray, y: np.ndarray, secret_owner: int | None, architecture: Mapping[str, int]
) -> tuple[tuple[str, ...], Mapping[int, InputFiles]]:
    """Arguments that say where a program finds its examples, and the secret owner's input, if there is one.

    All rows, the constant attribute first, and then for each row a 1 for its class among zeros.
    """
    if len(x) != len(y) or len(np.unique(y)) < 2:
        raise DataError(
            f"expected as many classes as examples, of two classes at least, got {len(x)} examples and {len(y)} "
            f"classes, {len(np.unique(y))} different ones"
        )
    check_classes(y, architecture["outputs"])
    labels = y[:, None] == np.arange(max(2, architecture["outputs"]))
    words = np.concatenate([integer_rows(x).reshape(-1), labels.reshape(-1).astype(np.int64)])
    examples, secret = write_examples(folder, words, secret_owner)
    return examples, {} if secret is None or secret_owner is None else {secret_owner: secret}
