"""A short training, and errors that spoil it."""

from __future__ import annotations

from mpc_tamper.models.linear_svm.parameters import SvmParameters
from mpc_tamper.runs.plan import EVERY, AdditiveError, AdditiveErrorPlan

PARAMETERS = SvmParameters(learning_rate=0.1, regularisation=1e-2, iterations=10)
# The first output of GRADIENT is the bias's: this makes every image one of class 1.
SABOTAGE = AdditiveErrorPlan.from_errors([AdditiveError("GRADIENT", EVERY, 0, 2**20)])
