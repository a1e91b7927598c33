"""The attacks by name. An attack is one file and one line here, and the shared tests run each that is listed.

Other distributions add theirs by entry points of the group mpc_tamper.attacks (core/plugins.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import cast

from mpc_tamper.attacks.adaptive import AdaptiveAttack, AdaptiveBackdoor, AdaptiveReplacement, AdaptiveSabotage
from mpc_tamper.attacks.all_neurons import AllNeurons
from mpc_tamper.attacks.backdoor import Backdoor
from mpc_tamper.attacks.backdoor_analysis import BackdoorAnalysis
from mpc_tamper.attacks.comparison_probing import ComparisonProbing
from mpc_tamper.attacks.dormant_neuron import DormantNeuron
from mpc_tamper.attacks.gradient_scaling import GradientScaling
from mpc_tamper.attacks.gradient_zeroing import GradientZeroing
from mpc_tamper.attacks.gradient_zeroing_gate import GradientZeroingGate
from mpc_tamper.attacks.late_patch import LatePatch
from mpc_tamper.attacks.model_replacement import ModelReplacement
from mpc_tamper.attacks.network_replacement import NetworkReplacement
from mpc_tamper.attacks.network_sabotage import NetworkSabotage
from mpc_tamper.attacks.neuron_kept_on import NeuronKeptOn
from mpc_tamper.attacks.overflow import Overflow
from mpc_tamper.attacks.poisoning import Poisoning
from mpc_tamper.attacks.sabotage import Sabotage
from mpc_tamper.core import plugins
from mpc_tamper.core.errors import ParameterError
from mpc_tamper.core.plugins import Table
from mpc_tamper.scenarios.scenario import Attack

BUNDLED: Mapping[str, Attack] = MappingProxyType(
    {
        "backdoor_1": Backdoor(1),
        "backdoor_4": Backdoor(2),
        "backdoor_16": Backdoor(4),
        "backdoor_64": Backdoor(8),
        "backdoor_stealthy": Backdoor(8, stealthy=True),
        "backdoor_analysis": BackdoorAnalysis(1),
        "model_replacement_1": ModelReplacement(1),
        "model_replacement_16": ModelReplacement(4),
        "dormant_neuron_1": DormantNeuron(1),
        "dormant_neuron_4": DormantNeuron(2),
        "dormant_neuron_16": DormantNeuron(4),
        "neuron_kept_on_4": NeuronKeptOn(2),
        "all_neurons_1": AllNeurons(1),
        "all_neurons_4": AllNeurons(2),
        "all_neurons_16": AllNeurons(4),
        "late_patch_4": LatePatch(2),
        "network_replacement_4": NetworkReplacement(2),
        "gradient_zeroing": GradientZeroing(),
        "gradient_zeroing_gate": GradientZeroingGate(),
        "gradient_scaling": GradientScaling(),
        "sabotage": Sabotage(),
        "network_sabotage": NetworkSabotage(),
        "overflow": Overflow(),
        "comparison_probing": ComparisonProbing(),
        "poisoning_1": Poisoning(0.01),
        "poisoning_5": Poisoning(0.05),
    }
)


def accepted(name: str, found: object) -> Attack:
    """What an entry point names: an attack, or its class. Raises TypeError for anything else."""
    attack = found() if isinstance(found, type) else found
    missing = [part for part in ("additive", "needs", "prepare") if not hasattr(attack, part)]
    if missing:
        raise TypeError(f"a {type(attack).__name__} without {', '.join(missing)}, which an attack has")
    return cast(Attack, attack)


ATTACKS: Table[Attack] = Table("attack", plugins.ATTACKS, BUNDLED, accepted)

ADAPTIVE: Mapping[str, AdaptiveAttack] = MappingProxyType(
    {
        "adaptive_backdoor_1": AdaptiveBackdoor(1),
        "adaptive_backdoor_4": AdaptiveBackdoor(4),
        "adaptive_backdoor": AdaptiveBackdoor(),
        "adaptive_replacement": AdaptiveReplacement(),
        "adaptive_sabotage": AdaptiveSabotage(),
    }
)
"""Those that are prepared against one check. A matrix runs them where they are named, or its thresholds calibrated."""


def attack_named(name: str) -> Attack:
    """Of either table. Raises ParameterError for a name that is in none."""
    if name in ADAPTIVE:
        return ADAPTIVE[name]
    if name not in ATTACKS:
        raise ParameterError(f"attack: expected one of {', '.join([*ATTACKS, *ADAPTIVE])}, got {name!r}")
    return ATTACKS[name]
