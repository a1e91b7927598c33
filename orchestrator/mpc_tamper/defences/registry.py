"""The defences by name. A defence is one file and one line here, and the shared tests run each that is listed."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from mpc_tamper.defences.accuracy import AccuracyThreshold
from mpc_tamper.defences.active import active_training
from mpc_tamper.defences.base import Defence
from mpc_tamper.defences.clipping import clipping
from mpc_tamper.defences.low_variance import low_variance
from mpc_tamper.defences.pca import pca_by_owner, pca_in_mpc
from mpc_tamper.defences.robustness import PixelRobustness
from mpc_tamper.models.capabilities import Capability

_STORED = frozenset({Capability.STORED_ROWS})  # on rows of components, within a bound on their norm


def defences(accuracy: float, certified: Mapping[int, float]) -> Mapping[str, Defence]:
    """accuracy: the least that a model needs.  certified: from k to the least share of examples certified for k pixels.

    Both depend on the task: they are what honest models reach, with some room.
    """
    return MappingProxyType(
        {
            "none": Defence(),
            "accuracy": Defence(check=AccuracyThreshold(accuracy)),
            **{f"certificate_{k}": Defence(check=PixelRobustness(k, share)) for k, share in certified.items()},
            "low_variance": Defence(low_variance()),
            "pca": Defence(pca_in_mpc, asks=_STORED),
            "pca_by_owner": Defence(pca_by_owner, asks=_STORED),
            "clipping": Defence(clipping(), asks=frozenset({Capability.CLIPPING})),
            "active": Defence(active_training),
        }
    )


DEFENCES = defences(0.99, {1: 0.99, 4: 0.99, 16: 0.7, 64: 0.6})
"""For MNIST 0/1. No honest model is certified for 64 of its pixels; 0.6 excludes every backdoor that always works."""
