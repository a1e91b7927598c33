"""A secret start: the weights start at values that are drawn on shares and that nobody knows.

With a public start an attacker knows, before any data are there, which way each neuron will pull: training hardly
changes the signs of the output weights. It adds a little of the trigger to every neuron, with the sign that leads to
its target, and no neuron looks different from what it was. With a secret start it does not know the signs.

What it cannot do: an attacker who sets the weights of one neuron adds so much to what is there that the start does not
matter.
"""

from __future__ import annotations

from dataclasses import replace

from mpc_tamper.scenarios.scenario import Scenario


def secret_start(scenario: Scenario) -> Scenario:
    return replace(scenario, parameters=scenario.model.with_secret_start(scenario.parameters))
