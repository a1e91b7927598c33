"""The defences by name. A defence is one file and one line here, and the shared tests run each that is listed.

There is a table for linear models and one for networks. Thresholds belong to a task: they are what honest models reach
on it, with some room.

Other distributions add theirs by entry points of the group mpc_tamper.defences (core/plugins.py); they join each table,
and a study leaves out those that ask for what its model lacks.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from mpc_tamper.core import plugins
from mpc_tamper.core.plugins import Table
from mpc_tamper.defences.accuracy import AccuracyThreshold
from mpc_tamper.defences.active import active_training
from mpc_tamper.defences.base import Defence, together
from mpc_tamper.defences.clipping import clipping
from mpc_tamper.defences.fine_pruning import STRONG_SHARE, fine_pruning
from mpc_tamper.defences.input_pruning import input_pruning
from mpc_tamper.defences.low_variance import low_variance
from mpc_tamper.defences.patch_scan import PatchScan
from mpc_tamper.defences.pca import pca_by_owner, pca_in_mpc
from mpc_tamper.defences.robustness import PixelRobustness
from mpc_tamper.defences.secret_start import secret_start
from mpc_tamper.models.capabilities import Capability

_STORED = frozenset({Capability.STORED_ROWS})  # on rows of components, within a bound on their norm
_NEURONS = frozenset({Capability.NEURONS})
_PATCH, _SCANNED = 2, 20  # pixels of a side; images, on each of which the patch is tried at every place


def defences(accuracy: float, certified: Mapping[int, float]) -> Mapping[str, Defence]:
    """Of linear models.

    accuracy: the least that a model needs.  certified: from k to the least share of examples certified for k pixels.
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


def with_plugins(bundled: Mapping[str, Defence]) -> Table[Defence]:
    """The table with the defences of other distributions."""
    return Table("defence", plugins.DEFENCES, bundled, accepted)


def accepted(name: str, found: object) -> Defence:
    """What an entry point names: a Defence. Raises TypeError for anything else."""
    if not isinstance(found, Defence):
        raise TypeError(f"a {type(found).__name__}, which is no Defence")
    return found


DEFENCES = with_plugins(defences(0.99, {1: 0.99, 4: 0.99, 16: 0.7, 64: 0.6}))
"""For MNIST 0/1. No honest model is certified for 64 of its pixels; 0.6 excludes every backdoor that always works."""


def network_defences(accuracy: float, certified: Mapping[int, float]) -> Mapping[str, Defence]:
    """Of networks of one hidden layer.  accuracy, certified: as of defences()."""
    pruned = input_pruning()  # one object: defences that change the training alike share it
    checks = {f"certificate_{k}": PixelRobustness(k, share) for k, share in certified.items()}
    secret = frozenset({Capability.SECRET_START})
    return MappingProxyType(
        {
            "none": Defence(),
            "accuracy": Defence(check=AccuracyThreshold(accuracy)),
            **{name: Defence(check=check) for name, check in checks.items()},
            f"patch_scan_{_PATCH}": Defence(check=PatchScan(_PATCH), examples=_SCANNED),
            "tuning": Defence(fine_pruning(share=0), asks=_NEURONS),
            "fine_pruning": Defence(fine_pruning(), asks=_NEURONS),
            "fine_pruning_strong": Defence(fine_pruning(STRONG_SHARE), asks=_NEURONS),
            "input_pruning": Defence(pruned, asks=_NEURONS),
            **{f"input_pruning_{name}": Defence(pruned, check, asks=_NEURONS) for name, check in checks.items()},
            "secret_start": Defence(secret_start, asks=secret),
            "secret_start_fine_pruning": Defence(
                together(secret_start, fine_pruning(STRONG_SHARE)), asks=_NEURONS | secret
            ),
            "active": Defence(active_training),
        }
    )


NETWORK_DEFENCES = with_plugins(network_defences(0.99, {1: 0.99, 4: 0.99, 16: 0.6}))
"""For MNIST 0/1, where honest networks are certified for 16 pixels on two thirds of the images."""
NETWORK_DEFENCES_OF_TEN = with_plugins(network_defences(0.89, {1: 0.8}))
"""For all ten digits of MNIST, 12,032 rows. A certificate of more pixels than one is not for so many classes."""
