"""What a model costs on a network: passive training, verified passive training and active training beside each other.

Seconds on a network are what the run took on loopback, and the time of its rounds and bytes, as
studies/costs/model.py has it; page.js has the same formula, and a test holds one against the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mpc_tamper.report.names import DATASETS

Record = Mapping[str, Any]

WAN = "WAN"
_LATENCIES = (0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.15, 0.2)  # one way
_RATES = (1e6, 5e6, 1e7, 2e7, 5e7, 1e8, 2e8, 5e8, 1e9, 2.5e9, 1e10)  # bits a second
PASSIVE, VERIFIED, ACTIVE = "Passive, unchecked", "Passive, then verified", "Active"
_MEANING = {
    PASSIVE: "no protection: a cheating server can plant what it likes",
    VERIFIED: "one bit is opened actively: is the accuracy at least a threshold?",
    ACTIVE: "aborts under every additive error",
}


@dataclass(frozen=True)
class Way:
    """A way to a model. seconds: on loopback.  rounds: of the party that counts fewest."""

    name: str
    meaning: str
    seconds: float
    bytes_per_party: int
    rounds: int
    predicted: Mapping[str, float]


@dataclass(frozen=True)
class Choice:
    """Ways that are compared: of one engine, active protocol and size."""

    title: str
    ways: tuple[Way, ...]

    def times(self, network: str, one: str, other: str) -> float:
        by_name = {way.name: way.predicted[network] for way in self.ways}
        return by_name[one] / by_name[other]

    def bytes_times(self, one: str, other: str) -> float:
        by_name = {way.name: way.bytes_per_party for way in self.ways}
        return by_name[one] / by_name[other]

    def on(self, network: str, name: str) -> float:
        return next(way.predicted[network] for way in self.ways if way.name == name)


@dataclass(frozen=True)
class Network:
    name: str
    latency_seconds: float
    bits_per_second: float

    @property
    def said(self) -> str:
        return f"{1e3 * self.latency_seconds:g} ms one way, {self.bits_per_second / 1e6:,.0f} Mbit/s"


@dataclass(frozen=True)
class Costs:
    """choices: the largest training of the first engine first.  network: what is shown before anything is moved."""

    task: str
    networks: tuple[Network, ...]
    network: Network
    choices: tuple[Choice, ...]
    sentences: tuple[str, ...]

    @property
    def latencies(self) -> list[float]:
        return sorted({*_LATENCIES, *(network.latency_seconds for network in self.networks)})

    @property
    def rates(self) -> list[float]:
        return sorted({*_RATES, *(network.bits_per_second for network in self.networks)})

    @property
    def data(self) -> dict[str, Any]:
        """For page.js."""
        fields = ("name", "seconds", "bytes_per_party", "rounds")
        return {
            "latencies": self.latencies,
            "rates": self.rates,
            "choices": [[{field: getattr(way, field) for field in fields} for way in c.ways] for c in self.choices],
        }


def view(record: Record) -> Costs:
    """Of costs.json."""
    networks = tuple(Network(**network) for network in record["networks"])
    if not networks:
        raise ValueError("no networks")
    network = next((each for each in networks if each.name == WAN), networks[-1])
    choices = sorted(_choices(record), key=lambda found: found[0])
    ordered = tuple(choice for _, choice in choices)
    task = DATASETS.get(record["dataset"], record["dataset"])
    return Costs(task, networks, network, ordered, tuple(_sentences(task, ordered, networks, network)))


def _choices(record: Record) -> Iterator[tuple[tuple[int, int, int], Choice]]:
    """With what they are sorted by: the engines in their order, and the largest first."""
    runs = record["runs"]
    engines = list(dict.fromkeys(run["engine"] for run in runs))
    for ratio in record["ratios"]:
        size = {key: ratio[key] for key in ("engine", "rows", "iterations")} | {"phase": "train"}
        passive = _find(runs, size | {"protocol": ratio["passive_protocol"]})
        active = _find(runs, size | {"protocol": ratio["protocol"]})
        asked = {"engine": ratio["engine"], "protocol": ratio["protocol"], "examples": "public"}
        checks = [run for run in runs if all(run[key] == value for key, value in asked.items())]
        ways = [_way(PASSIVE, passive)]
        ways += [_way(VERIFIED, passive, max(checks, key=lambda run: int(run["rows"])))] if checks else []
        ways.append(_way(ACTIVE, active))
        title = f"{ratio['engine']}, {ratio['protocol']}: {ratio['rows']:,} rows, {ratio['iterations']} steps"
        order = engines.index(ratio["engine"]), -ratio["rows"] * ratio["iterations"], -ratio["rows"]
        yield order, Choice(title, tuple(ways))


def _find(runs: Sequence[Record], wanted: Record) -> Record:
    found = [run for run in runs if all(run[key] == value for key, value in wanted.items())]
    if not found:
        raise ValueError(f"no run of {dict(wanted)}")
    return found[0]


def _way(name: str, *runs: Record) -> Way:
    """Of runs that follow one another."""
    return Way(
        name,
        _MEANING[name],
        sum(run["seconds"] for run in runs),
        sum(run["bytes_per_party"] for run in runs),
        sum(run["common_rounds"] for run in runs),
        {network: sum(run["predicted_seconds"][network] for run in runs) for network in runs[0]["predicted_seconds"]},
    )


def _sentences(task: str, choices: Sequence[Choice], networks: Sequence[Network], first: Network) -> Iterator[str]:
    """Of the first choice: what active training costs, on each network."""
    if not choices:
        return
    choice, names = choices[0], {way.name for way in choices[0].ways}
    for network in sorted(networks, key=lambda each: each != first):
        said = (
            f"On a {network.name} ({network.said}), active training takes {choice.on(network.name, ACTIVE):.3g} s and "
            f"passive training {choice.on(network.name, PASSIVE):.3g} s: active costs "
            f"{choice.times(network.name, ACTIVE, PASSIVE):.2f} times as much."
        )
        if VERIFIED in names:
            said += (
                f" Passive training that is verified afterwards takes {choice.on(network.name, VERIFIED):.3g} s, "
                f"{choice.times(network.name, VERIFIED, ACTIVE):.2f} times active training."
            )
        yield said
    yield (
        f"Active training sends {choice.bytes_times(ACTIVE, PASSIVE):.3f} times the bytes of passive training. "
        f"This is {task}, {choice.title}."
    )
