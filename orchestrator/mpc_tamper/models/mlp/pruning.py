"""mlp_prune.mpc: its arguments, and what it leaves, in NumPy.

The sums of activations and the weights that stay are those of the program, bit for bit, whatever a tampered network
holds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

import numpy as np

from mpc_tamper.core import bundle
from mpc_tamper.core.pixels import MAX_PIXEL
from mpc_tamper.models.base import Architecture, ProgramCall
from mpc_tamper.models.encoding import integer_rows, write_examples
from mpc_tamper.models.mlp.scoring import hidden_layer, split
from mpc_tamper.models.pruning import CleanRows, InputPruning, NeuronPruning, Pruning


def pruning_call(pruning: Pruning, clean: CleanRows, architecture: Architecture, folder: Path) -> ProgramCall:
    """The file of the clean rows goes into the folder."""
    rows = integer_rows(clean.x)
    where, secret = write_examples(folder, rows, clean.owner)
    args = (
        f"columns={rows.shape[1]}",
        *(f"{name}={architecture[name]}" for name in ("hidden", "outputs", "cap")),
        f"rows={len(rows)}",
        f"neurons={pruning.count(architecture['hidden'])}"
        if isinstance(pruning, NeuronPruning)
        else f"inputs={least_sum(pruning, len(rows))}",
        *where,
    )
    inputs = {} if secret is None or clean.owner is None else {clean.owner: secret}
    return ProgramCall(bundle.program("mlp_prune.mpc"), args, inputs)


def least_sum(pruning: InputPruning, rows: int) -> int:
    """Of a pixel that stays, over so many rows. 0.01 is taken for 1/100, not its binary form."""
    return math.ceil(Fraction(repr(float(pruning.use))) * MAX_PIXEL * rows)


def pruned_weights(weights: np.ndarray, architecture: Mapping[str, int], pruning: Pruning, x: np.ndarray) -> np.ndarray:
    """What the program leaves of such weights, in the order of the share file.  x: (m, n) clean rows."""
    w1, w2 = (layer.copy() for layer in split(weights, architecture))
    if isinstance(pruning, NeuronPruning):
        sums = activation_sums(weights, architecture, x)
        smaller = np.searchsorted(np.sort(sums), sums)  # how many there are
        gone = smaller < pruning.count(architecture["hidden"])
        w1[:, gone] = 0
        w2[gone] = 0
    else:
        w1[1:][x.sum(axis=0, dtype=np.int64) < least_sum(pruning, len(x))] = 0
    return np.concatenate([w1.reshape(-1), w2.reshape(-1)])


def activation_sums(weights: np.ndarray, architecture: Mapping[str, int], x: np.ndarray) -> np.ndarray:
    """(H,) int64: of min(max(z, 0), cap) over the rows, z modulo 2^64."""
    z1 = hidden_layer(weights, architecture, x)
    return np.asarray(z1.clip(0, architecture["cap"]).sum(axis=0))
