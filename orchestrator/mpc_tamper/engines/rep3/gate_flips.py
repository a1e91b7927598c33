"""Flips of single AND gates in rep3's comparison: three parties in threads, on fresh uniform shares."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mpc_tamper.engines.rep3.in_process import run_in_threads
from mpc_tamper.engines.rep3.primitives import comparison
from mpc_tamper.engines.rep3.protocol import opening, passive
from mpc_tamper.engines.rep3.protocol.context import Party
from mpc_tamper.engines.rep3.protocol.rounds import alone
from mpc_tamper.engines.rep3.protocol.share import public
from mpc_tamper.runs.corruption import Corruption
from mpc_tamper.runs.plan import AdditiveError, AdditiveErrorPlan

_STEP = {1: "STEP"}


class ComparisonFlips:
    """See engines.base.GateFlips."""

    def planes(self, width: int) -> Mapping[str, int]:
        return comparison.gates(width)

    def changed(self, gate: str, planes: int, values: np.ndarray, width: int, corrupt_party: int) -> np.ndarray:
        lanes = np.arange(len(values))
        flips = (lanes // (len(values) // planes) * len(values) + lanes).tolist()
        errors = AdditiveErrorPlan.from_errors(AdditiveError(f"STEP/{gate}", 0, index, 1) for index in flips)

        def program(party: Party) -> np.ndarray:
            mask = passive.reshare(party, party.prss.zero_share(values.shape), "mask")
            shares = public(values.astype(np.uint64), party.party_id) + mask
            party.steps.start(1)
            bits = alone(party, comparison.less_than_zero(party, shares, width))
            party.steps.stop(1)
            return opening.open_to_all(party, bits)

        opened, _, _ = run_in_threads(program, sites=_STEP, corruption=Corruption(corrupt_party, errors))
        return (opened == 1) != (values < 0)
