"""Active training: every message is checked, and a deviation aborts before anything is opened.

The training runs under mal-rep-ring (on rep3: Boneh, Boyle, Corrigan-Gibbs, Gilboa, Ishai, CRYPTO 2019, see
engines/rep3/protocol/active.py). It stops every additive error but with negligible probability, and costs rounds,
bytes and mostly computing: the price that the paper's verification of a passively trained model avoids.

What it cannot do: it does not look at the data, so an owner who poisons its own rows is not noticed.
"""

from __future__ import annotations

from dataclasses import replace

from mpc_tamper.runs.protocols import ProtocolName
from mpc_tamper.scenarios.scenario import Scenario


def active_training(scenario: Scenario) -> Scenario:
    return replace(scenario, protocol=ProtocolName.MAL_REP_RING)
