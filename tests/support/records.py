"""The records in results/, as the figures of the pages are looked up in them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from mpc_tamper.report.audit import Protocol, protocols
from mpc_tamper.report.matrix_record import read_matrix

MNIST, CIFAR10 = "mnist_0_1", "cifar10_airplane_automobile"
NETWORK = "mnist_0_1-mlp"


class Records:
    """folder: results/."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def _read(self, name: str) -> Any:
        return json.loads((self._folder / name).read_text(encoding="utf-8"))

    @cached_property
    def bench(self) -> dict[str, Any]:
        return self._read("bench.json")

    @cached_property
    def probing(self) -> dict[str, Any]:
        return self._read("probing.json")

    @cached_property
    def leak_row(self) -> dict[str, Any]:
        return self._read("leak-row.json")

    @cached_property
    def costs(self) -> dict[str, Any]:
        return self._read("costs.json")

    @cached_property
    def audits(self) -> dict[tuple[str, str], Protocol]:
        """By implementation and protocol."""
        lines = (self._folder / "audit.jsonl").read_text(encoding="utf-8").splitlines()
        found = protocols([json.loads(line) for line in lines])
        return {(each.implementation, each.name): each for each in found}

    @cached_property
    def _matrix(self) -> list[dict[str, Any]]:
        lines = (self._folder / "matrix.jsonl").read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines]

    @cached_property
    def cells(self) -> Mapping[tuple[str, str, str], dict[str, Any]]:
        """By data set, attack and defence."""
        return {(c["dataset"], c["attack"], c["defence"]): c for c in self._matrix if c["kind"] == "cell"}

    @cached_property
    def studies(self) -> Mapping[str, dict[str, Any]]:
        return {line["dataset"]: line for line in self._matrix if line["kind"] == "study"}

    def mnist(self, attack: str = "none", defence: str = "none") -> dict[str, Any]:
        return self.cells[MNIST, attack, defence]

    def cifar10(self, attack: str = "none", defence: str = "none") -> dict[str, Any]:
        return self.cells[CIFAR10, attack, defence]

    @cached_property
    def network_cells(self) -> Mapping[tuple[str, str, str], dict[str, Any]]:
        """By data set, attack and defence."""
        lines = (self._folder / "matrix-mlp.jsonl").read_text(encoding="utf-8").splitlines()
        cells = [line for line in map(json.loads, lines) if line["kind"] == "cell"]
        return {(c["dataset"], c["attack"], c["defence"]): c for c in cells}

    def network(self, attack: str = "none", defence: str = "none") -> dict[str, Any]:
        return self.network_cells[NETWORK, attack, defence]

    @cached_property
    def own_cells(self) -> Mapping[tuple[str, str, str], dict[str, Any]]:
        """Of the calibrated matrix, over its seeds, by data set, attack and defence."""
        cells = read_matrix(self._folder / "matrix-own.jsonl")["cells"]
        return {(c["dataset"], c["attack"], c["defence"]): c for c in cells}

    def own(self, dataset: str, attack: str = "none", defence: str = "none") -> dict[str, Any]:
        return self.own_cells[dataset, attack, defence]

    @cached_property
    def own_studies(self) -> Mapping[str, dict[str, Any]]:
        return read_matrix(self._folder / "matrix-own.jsonl")["datasets"]

    @cached_property
    def _pruning(self) -> list[dict[str, Any]]:
        return self._read("pruning.json")["found"]

    def pruned(self, attack: str, defence: str) -> list[float]:
        """Success rates, clipped, of each seed."""
        found = [e for e in self._pruning if (e["attack"], e["defence"]) == (attack, defence)]
        return [e["attack_success_rate_clipped"] for e in found]

    def accuracies(self) -> tuple[list[float], list[float]]:
        """Of each seed: honest, and with a dormant neuron after fine-pruning of a quarter."""
        pairs = (("none", "none"), ("dormant_neuron_4", "fine_pruning_25"))
        honest, left = (
            [e["test_accuracy"] for e in self._pruning if (e["attack"], e["defence"]) == pair] for pair in pairs
        )
        return honest, left

    def table1(self, dataset: str, model: str, training: str = "full") -> dict[str, Any]:
        rows = self._read("table1.json")["rows"]
        wanted = (dataset, model, training)
        (row,) = [r for r in rows if (r["dataset"], r["model"], r["training"]) == wanted]
        return row

    def relayed(self, engine: str, protocol: str, phase: str, examples: str | None = None) -> float:
        """Measured over predicted seconds of a run through a relay that delays as the WAN does."""
        wanted = (engine, protocol, phase, examples, "WAN")
        keys = ("engine", "protocol", "phase", "examples", "network")
        (row,) = [c for c in self.costs["checks"] if tuple(c[key] for key in keys) == wanted]
        return row["measured_over_predicted"]

    def verification(self, examples: str) -> dict[str, Any]:
        """That of all test images on rep3."""
        runs = [r for r in self.costs["runs"] if r["engine"] == "rep3" and r["examples"] == examples]
        return max(runs, key=lambda run: run["bytes_per_party"])
