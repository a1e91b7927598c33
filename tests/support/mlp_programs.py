"""Small networks and examples for the programs that ask a network something."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from mpc_tamper.engines.base import Engine
from mpc_tamper.models.checks import Question
from mpc_tamper.models.mlp.questions import verification_call
from mpc_tamper.runs.protocols import ProtocolName
from mpc_tamper.runs.spec import RunSpec
from tests.support.verify_program import leave_shares

HIDDEN = 4
F1, F2 = 14, 6
FEATURES = 60


def architecture(outputs: int, hidden: int = HIDDEN) -> dict[str, int]:
    """A cap of 2 in real units."""
    return {"hidden": hidden, "outputs": outputs, "f1": F1, "f2": F2, "cap": 2 << 8 + F1}


def examples(classes: int, count: int = 14) -> tuple[np.ndarray, np.ndarray]:
    """Each class brightens pixels of its own. Pixels are even, so that -2^63 in a weight changes no score."""
    y = (np.arange(count) % classes).astype(np.uint8)
    x = 2 * np.random.default_rng(7).integers(0, 25, (count, FEATURES))
    x[np.arange(FEATURES) % classes == y[:, None]] += 180
    x[::5, :9] = 100  # some are harder to tell
    return x.astype(np.uint8), y


def trained(outputs: int, hidden: int = HIDDEN, seed: int = 3, steps: int = 400) -> np.ndarray:
    """Weights of a network that was trained in floating point on such examples, rounded to the scales."""
    classes = max(2, outputs)
    pixels, y = examples(classes, 60)
    rng = np.random.default_rng(seed)
    x = np.column_stack([np.ones(len(y)), pixels / 256])
    target = np.where(y[:, None] == (np.arange(1, 2) if outputs == 1 else np.arange(outputs)), 1.0, -1.0)
    w1, w2 = rng.normal(0, 0.3, (x.shape[1], hidden)), rng.normal(0, 0.3, (hidden, outputs))
    for _ in range(steps):
        z1 = x @ w1
        a = np.clip(z1, 0, 2)
        error = target * (target * (a @ w2) < 1)
        back = (error @ w2.T) * ((z1 > 0) & (z1 < 2))
        w2 += 0.3 / len(y) * a.T @ error
        w1 += 0.3 / len(y) * x.T @ back
    scaled = [np.round(w1 * 2**F1).reshape(-1), np.round(w2 * 2**F2).reshape(-1)]
    return np.concatenate(scaled).astype(np.int64)


def answer(
    question: Question,
    weights: np.ndarray,
    described: Mapping[str, int],
    x: np.ndarray,
    y: np.ndarray,
    engine: Engine,
    protocol: ProtocolName = ProtocolName.RING,
    owner: int | None = None,
) -> bool:
    """The bit that the program opens."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        leave_shares(folder / "train", weights)
        call = verification_call(question, x, y, folder, owner, described)
        spec = RunSpec(
            call.program,
            call.args,
            protocol=protocol,
            inputs=call.inputs,
            run_dir=folder / "run",
            shares_from=folder / "train",
        )
        (bit,) = engine.run(spec).binary_output
    return bit == 1
