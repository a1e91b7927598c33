"""A backdoor in a model of principal components, by errors where the servers compute the components as well.

A trigger of few pixels lies mostly outside the space that the components span, so errors in the training alone cannot
plant it (defences/pca.py). But the same corrupt party can attack a passive pca.mpc, and an error at its last product
enters V whatever the data are:

    V_j <- delta / ||delta||,   where j is the component of least variance, which the model misses least

The rows are projected on that V, so feature j is the trigger and nothing else. V_j is as long as it was, so images stay
well within the public bound on rows. The shift of the gradient is then aimed at what the trigger adds to the features
as they are now, V'delta. Where the trigger's pixels are the same in all training images, feature j is 0 in all rows, no
honest gradient touches its weight, and the attack is the one on pixels.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mpc_tamper.attacks.backdoor import Backdoor
from mpc_tamper.attacks.patch import place_patch
from mpc_tamper.models.features import FeatureMap, Pixels
from mpc_tamper.models.pca.program import COMPONENT_SCALE, errors_in_components
from mpc_tamper.scenarios.scenario import Attempt, Scenario, Trial
from mpc_tamper.workflows.components import Components


@dataclass(frozen=True)
class BackdoorAnalysis:
    """Backdoor(width), with a component of its own where the servers compute components, and unchanged elsewhere."""

    width: int
    target: int = 1

    additive = True
    needs = Backdoor.needs

    def prepare(self, scenario: Scenario, trial: Trial) -> Attempt:
        backdoor = Backdoor(self.width, target=self.target)
        analysis = next((stage for stage in scenario.before if isinstance(stage, Components)), None)
        if analysis is None:
            return backdoor.prepare(scenario, trial)
        images, features = scenario.task.x_train, scenario.features
        pixels = images.shape[1]
        trigger = place_patch(replace(scenario, features=Pixels(pixels)), self.width, self.target)
        delta = trigger.delta(pixels)
        component = int(np.argmin(features.features(images).var(axis=0)))

        before = _component(features, component, pixels)
        after = np.rint(delta / np.linalg.norm(delta) * (1 << COMPONENT_SCALE)).astype(np.int64)
        errors = np.zeros((pixels, features.size), dtype=np.int64)
        errors[:, component] = after - before
        plan = errors_in_components(errors, analysis.parameters)

        seen = features.direction(delta)
        seen[component] = after @ delta / (1 << COMPONENT_SCALE)

        def with_errors_in_analysis(attempt: Attempt) -> Attempt:
            return replace(attempt, plans={analysis.name: plan, **attempt.plans})

        found = with_errors_in_analysis(
            backdoor.plant(scenario, trigger, seen, lambda attempt: trial(with_errors_in_analysis(attempt)))
        )
        return replace(found, settings={**found.settings, "component": component})


def _component(features: FeatureMap, component: int, pixels: int) -> np.ndarray:
    """(n,) int64 at scale 2^16: column `component` of V, pixel by pixel."""
    real = [features.direction(np.eye(1, pixels, i)[0])[component] for i in range(pixels)]
    return np.rint(np.array(real) * (1 << COMPONENT_SCALE)).astype(np.int64)
