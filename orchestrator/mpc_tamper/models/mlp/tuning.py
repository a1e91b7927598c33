"""Tuning: a short training of a network that is there already, on clean rows and at a third of its learning rate.

The scales, the cap and the unit of the rate are those of the training; what changes is the number of passes and the
rows. Bounds: pruning sets weights to 0, which shortens columns of W1 and W2, and the induction of bounds.py goes on
from there. So the bound after the steps of both, one after the other, holds for an honest network, pruned or not.

A tampered network may hold anything. Comparisons are therefore exact for all 64-bit numbers, and values that leave the
bound wrap around, alike on all engines.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from mpc_tamper.core.errors import ParameterError
from mpc_tamper.models.base import DataSize, ProgramCall
from mpc_tamper.models.encoding import integer_rows, signed_labels, write_examples, write_owners
from mpc_tamper.models.fixed_point import MAX_WIDTH
from mpc_tamper.models.mlp.bounds import MlpConstants, bounds_after, mlp_constants, row_norm
from mpc_tamper.models.mlp.encoding import shuffled
from mpc_tamper.models.mlp.parameters import MlpParameters, outputs
from mpc_tamper.models.mlp.program import tuning_from
from mpc_tamper.models.pruning import CleanRows
from mpc_tamper.runs.spec import InputFiles


def tuning_parameters(parameters: MlpParameters, epochs: int) -> MlpParameters:
    """Those of the training, with so many passes. Raises ParameterError for a number of passes that is none."""
    return replace(parameters, epochs=epochs)


def tuning_constants(parameters: MlpParameters, size: DataSize, rows: int, epochs: int) -> MlpConstants:
    """parameters, size: of the training.  rows: clean ones.  epochs: passes over them.

    Raises ParameterError where the training and so much tuning have no bound below 2^63 on all values.
    """
    trained = mlp_constants(parameters, size.rows, size.features, size.largest, size.classes)
    part = trained.gains[0] // parameters.schedule[0]
    gains = (part,) * epochs
    batches = tuning_parameters(parameters, epochs).batches(rows)
    steps = [(gain, batch) for gain in trained.gains for batch in parameters.batches(size.rows)]
    steps += [(gain, batch) for gain in gains for batch in batches]
    norm = row_norm(parameters, size.features, size.largest)
    norms = bounds_after(parameters, trained, steps, size.features, norm, outputs(size.classes))
    if max(norms.widths()) > MAX_WIDTH:
        raise ParameterError(
            f"tuning: expected public bounds below 2^{MAX_WIDTH} on all values of the training and of {epochs} passes "
            f"over {rows:,} clean rows, got one of {max(norms.widths())} bits. Lower the passes, the clean rows, "
            f"learning_rate ({parameters.learning_rate:g}) or epochs ({parameters.epochs})"
        )
    return replace(
        trained,
        gains=gains,
        hidden_bound=norms.hidden,
        output_bound=norms.output,
        width1=MAX_WIDTH,
        width2=MAX_WIDTH,
        hidden_norm=norms.hidden_norm,
        output_norm=norms.output_norm,
    )


def tuning_rows(clean: CleanRows, classes: int, random_state: int) -> tuple[np.ndarray, np.ndarray]:
    """(m, n + 1) rows and (m, outputs) labels, int64, in the order of the batches."""
    order = shuffled(len(clean.x), random_state, 0)
    return integer_rows(clean.x)[order], signed_labels(clean.y, classes)[order]


def tuning_call(parameters: MlpParameters, size: DataSize, epochs: int, clean: CleanRows, folder: Path) -> ProgramCall:
    """mlp_train.mpc from the weights that an earlier stage left. The file of the clean rows goes into the folder."""
    constants = tuning_constants(parameters, size, len(clean.x), epochs)
    rows, labels = tuning_rows(clean, size.classes, parameters.random_state)
    if clean.owner is None:
        where, _ = write_examples(folder, np.column_stack([rows, labels]), None)
        inputs: Mapping[int, InputFiles] = {}
    else:
        where = (f"owner={clean.owner}",)
        inputs = write_owners(folder, {clean.owner: [rows, labels]})
    call = tuning_from(tuning_parameters(parameters, epochs), constants, replace(size, rows=len(rows)), where)
    return replace(call, inputs=inputs)
