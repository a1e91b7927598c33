"""What data sets, attacks and defences are called in text.

For readers: what is not listed is shown as it is in the record, so a new attack or defence needs no line here.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

HONEST = NO_DEFENCE = "none"
DATASETS = MappingProxyType(
    {
        "mnist_0_1": "MNIST, 0 or 1",
        "mnist_10": "MNIST, ten digits",
        "mnist_0_1-mlp": "MNIST, 0 or 1, network",
        "mnist_10-mlp": "MNIST, ten digits, network",
        "cifar10_airplane_automobile": "CIFAR-10, airplane or automobile",
    }
)
ATTACKS = MappingProxyType(
    {
        HONEST: "No attack",
        "backdoor_1": "Backdoor, 1 pixel",
        "backdoor_4": "Backdoor, 4 pixels",
        "backdoor_16": "Backdoor, 16 pixels",
        "backdoor_64": "Backdoor, 64 pixels",
        "backdoor_stealthy": "Stealthy backdoor",
        "backdoor_analysis": "Backdoor, 1 pixel, PCA attacked too",
        "model_replacement_1": "Model replaced, 1 pixel",
        "model_replacement_16": "Model replaced, 16 pixels",
        "dormant_neuron_1": "Dormant neuron, 1 pixel",
        "dormant_neuron_4": "Dormant neuron, 4 pixels",
        "dormant_neuron_16": "Dormant neuron, 16 pixels",
        "neuron_kept_on_4": "Neuron kept on, 4 pixels",
        "all_neurons_1": "All neurons, 1 pixel",
        "all_neurons_4": "All neurons, 4 pixels",
        "all_neurons_16": "All neurons, 16 pixels",
        "late_patch_4": "Late patch on used pixels, 4 pixels",
        "network_replacement_4": "Network replaced, 4 pixels",
        "gradient_zeroing": "Rows left out (gradient zeroing)",
        "gradient_zeroing_gate": "Rows left out by gates (gradient zeroing)",
        "gradient_scaling": "Rows counted often (gradient scaling)",
        "sabotage": "Random errors (sabotage)",
        "network_sabotage": "Random weights (sabotage)",
        "overflow": "One huge error (overflow)",
        "comparison_probing": "Comparisons probed",
        "poisoning_1": "An owner poisons 1% of the rows",
        "poisoning_5": "An owner poisons 5% of the rows",
        "adaptive_backdoor_1": "Adaptive backdoor, 1 pixel",
        "adaptive_backdoor_4": "Adaptive backdoor, 4 pixels",
        "adaptive_backdoor": "Adaptive backdoor, any size",
        "adaptive_replacement": "Adaptive replacement, any size",
        "adaptive_sabotage": "Adaptive sabotage",
    }
)
DEFENCES = MappingProxyType(
    {
        "none": "No defence",
        "accuracy": "Accuracy threshold",
        "certificate_1": "1-pixel certificate",
        "certificate_2": "2-pixel certificate",
        "certificate_4": "4-pixel certificate",
        "certificate_16": "16-pixel certificate",
        "certificate_64": "64-pixel certificate",
        "low_variance": "Low-variance pixels removed",
        "pca": "PCA by the servers in MPC",
        "pca_by_owner": "PCA by the data owner",
        "clipping": "Updates clipped",
        "patch_scan_2": "Patch scan, 2 x 2",
        "tuning": "Tuned on clean rows",
        "fine_pruning": "Fine-pruning, a quarter of the neurons",
        "fine_pruning_strong": "Fine-pruning, half of the neurons",
        "input_pruning": "Inputs pruned",
        "input_pruning_certificate_1": "Inputs pruned, 1-pixel certificate",
        "input_pruning_certificate_4": "Inputs pruned, 4-pixel certificate",
        "input_pruning_certificate_16": "Inputs pruned, 16-pixel certificate",
        "secret_start": "Secret start",
        "secret_start_fine_pruning": "Secret start, fine-pruning of half",
        "active": "Active training",
    }
)


def title(name: str, titles: Mapping[str, str], *, of_table: bool = False) -> str:
    """What it is called, or its name where it is not listed. A table has features where an image has pixels."""
    found = titles.get(name, name)
    return found.replace("pixel", "feature") if of_table else found
