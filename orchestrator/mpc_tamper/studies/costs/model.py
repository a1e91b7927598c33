"""What a run would take on another network: rounds x latency + bytes / bandwidth + compute.

compute is what the run took here, on loopback, where the network costs next to nothing. The three parties shared this
machine's cores. On hosts of their own they would compute faster, so predictions for a fast network are upper estimates.
We assume that a round waits for one message, which is sent after the round before, one way and without handshakes, and
that bytes leave one after the other at the party that sends most.
"""

from __future__ import annotations

from mpc_tamper.runs.network import Network


def predict(network: Network, *, seconds: float, bytes_per_party: int, rounds: int) -> float:
    """Seconds. seconds, bytes_per_party, rounds: of the same run on loopback."""
    return seconds + rounds * network.latency_seconds + 8 * bytes_per_party / network.bits_per_second
