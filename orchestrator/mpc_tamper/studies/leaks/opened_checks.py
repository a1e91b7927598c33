"""What defences of a network see of it, computed in the clear on an opened one: pruning by activation, a certificate.

These are the arithmetic of the defences without their protocols, enough to say whether an attack outlives them.
"""

from __future__ import annotations

import numpy as np

from mpc_tamper.models.base import OpenedModel
from mpc_tamper.models.fixed_point import BIAS
from mpc_tamper.models.mlp.opened import OpenedMlp
from mpc_tamper.models.mlp.scoring import split

WHITE = 255 / BIAS  # the largest feature, in real units


def accuracy(model: OpenedModel, x: np.ndarray, y: np.ndarray) -> float:
    return float((model.predict(x) == y).mean())


def pruned(model: OpenedMlp, x: np.ndarray, count: int) -> OpenedMlp:
    """Without the neurons of the lowest mean activation on clean images.  x: (m, n) pixels.  count: how many go."""
    w1, w2 = split(model.weights, model.architecture)
    real1, _ = model.layers
    cap = model.architecture["cap"] / 2.0 ** (8 + model.architecture["f1"])
    mean = np.clip(x / float(BIAS) @ real1[1:] + real1[0], 0, cap).mean(axis=0)
    gone = np.argsort(mean, kind="stable")[:count]
    w1[:, gone], w2[gone] = 0, 0
    return OpenedMlp(np.concatenate([w1.reshape(-1), w2.reshape(-1)]), model.architecture)


def certified(model: OpenedMlp, x: np.ndarray, y: np.ndarray) -> float:
    """Share of images that are classified rightly whatever one pixel is changed to.

    A pixel moves the difference of two scores by at most its largest sum over neurons of |W1| |difference of W2|.
    """
    w1, w2 = model.layers
    if w2.shape[1] == 1:
        w2 = np.column_stack([np.zeros(len(w2)), w2[:, 0]])
    reach = np.stack([np.abs(w1[1:]) @ np.abs(w2 - w2[:, [c]]) for c in range(w2.shape[1])]).max(axis=1) * WHITE
    scores = model.decision_function(x)
    if scores.ndim == 1:
        scores = np.column_stack([np.zeros(len(scores)), scores])
    own = scores[np.arange(len(y)), y]
    safe = own[:, None] - scores > reach[y]
    safe[np.arange(len(y)), y] = True
    return float(safe.all(axis=1).mean())
