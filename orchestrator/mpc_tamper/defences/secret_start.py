"""A secret start: the weights start at values that are drawn on shares and that nobody knows.

With a public start an attacker knows, before any data are there, which way each neuron will pull: training hardly
changes the signs of the output weights. It adds a little of the trigger to every neuron, with the sign that leads to
its target, and no neuron looks different from what it was. With a secret start it does not know the signs.

What it cannot do: an attacker who sets weights does not have to know them. It adds so much to the output weights, one
error for each neuron, that it knows their signs after that; or it sets one neuron as a whole.
"""

from __future__ import annotations

from dataclasses import replace

from mpc_tamper.scenarios.scenario import Scenario


def secret_start(scenario: Scenario) -> Scenario:
    return replace(scenario, parameters=scenario.model.with_secret_start(scenario.parameters))
