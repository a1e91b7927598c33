"""A network that lies between three parties of this machine: how long a message takes, and how many bits a second.

lan, wan, or RTT,RATE: what --network takes. An engine's parties then reach each other through a relay that delays
(engines/relay.py), so that a run behaves as over that network. It needs no root and changes no setting of the system.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any

from mpc_tamper.core.errors import ParameterError

_LONGEST_RTT_SECONDS = 10.0
_RTT = re.compile(r"(?P<number>[0-9]+(?:\.[0-9]+)?)(?P<unit>us|ms|s)")
_RATE = re.compile(r"(?P<number>[0-9]+(?:\.[0-9]+)?)(?P<unit>k|M|G)bit")
_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0}
_BITS = {"k": 1e3, "M": 1e6, "G": 1e9}
FORM = "lan|wan|RTT,RATE"


@dataclass(frozen=True)
class Network:
    """latency_seconds: one way.  bits_per_second: of each connection and direction."""

    name: str
    latency_seconds: float
    bits_per_second: float

    def __str__(self) -> str:
        """With the round trip and the rate, as for people to read."""
        facts = f"round trip {1000 * 2 * self.latency_seconds:g} ms, {self.bits_per_second / 1e6:g} Mbit/s"
        return f"{self.name} ({facts})"


LAN = Network("LAN", 0.001, 1e9)
WAN = Network("WAN", 0.040, 1e8)
NETWORKS: Mapping[str, Network] = MappingProxyType({network.name.lower(): network for network in (LAN, WAN)})


def network_record(network: Network | None) -> dict[str, Any]:
    """What the record of a run says of the network between its parties; nothing where there was none."""
    return {} if network is None else {"network": asdict(network)}


def read_network(text: str) -> Network:
    """'lan', 'wan', or a round trip and a rate such as '20ms,500Mbit'. Raises ParameterError."""
    if text.lower() in NETWORKS:
        return NETWORKS[text.lower()]
    round_trip, _, rate = (word.strip() for word in text.partition(","))
    delay, speed = _RTT.fullmatch(round_trip), _RATE.fullmatch(rate)
    if delay is None or speed is None:
        raise ParameterError(
            f"expected a network {FORM}, such as lan or 20ms,500Mbit, got {text!r}; give the round trip in us, ms or s "
            "and the rate in kbit, Mbit or Gbit a second"
        )
    rtt_seconds = float(delay["number"]) * _SECONDS[delay["unit"]]
    bits_per_second = float(speed["number"]) * _BITS[speed["unit"]]
    if not rtt_seconds <= _LONGEST_RTT_SECONDS or bits_per_second <= 0:
        raise ParameterError(
            f"expected a round trip of at most {_LONGEST_RTT_SECONDS:g} s and a rate above 0, got {text!r}; change it"
        )
    return Network(f"{round_trip},{rate}", rtt_seconds / 2, bits_per_second)
