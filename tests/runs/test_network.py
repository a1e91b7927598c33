"""What --network takes, and what a record says of it."""

from __future__ import annotations

import pytest

from mpc_tamper.core.errors import ParameterError
from mpc_tamper.runs.network import LAN, WAN, Network, network_record, read_network


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("lan", LAN),
        ("WAN", WAN),
        ("20ms,500Mbit", Network("20ms,500Mbit", 0.010, 5e8)),
        ("0.5s, 64kbit", Network("0.5s,64kbit", 0.25, 64e3)),
        ("0ms,1Gbit", Network("0ms,1Gbit", 0.0, 1e9)),
    ],
)
def test_read(text: str, network: Network) -> None:
    assert read_network(text) == network


@pytest.mark.parametrize(
    "text", ["", "man", "20,500", "20ms", "20ms,", "20ms,0Mbit", "-1ms,1Gbit", "11s,1Gbit", "1e3ms"]
)
def test_what_is_no_network(text: str) -> None:
    with pytest.raises(ParameterError, match=r"expected a (network|round trip)"):
        read_network(text)


def test_in_words_and_in_a_record() -> None:
    assert str(WAN) == "WAN (round trip 80 ms, 100 Mbit/s)"
    assert network_record(LAN) == {"network": {"name": "LAN", "latency_seconds": 0.001, "bits_per_second": 1e9}}
    assert network_record(None) == {}
