# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Write an attack
#
# The bundled attacks are a start. A defence is worth what it withstands when somebody
# thinks about it, so you will want to try ideas of your own. An attack is a small
# class. This notebook writes one, tests it, tries it against five defences in real
# three-party computation, and says how to share it.
#
# The idea: the paper's attacker adds errors in *every* step. Is that needed? **Our
# attacker strikes once, in the last pass**, with a single error. Whoever looks at the
# weights before that finds nothing.

# %%
from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np

import mpc_tamper as mt
from mpc_tamper import testing

task = mt.first_rows(mt.load_task("mnist_0_1"), 1000, tests=600)
parameters = mt.SvmParameters(learning_rate=0.1, iterations=20)

# %% [markdown]
# ## What an attack is
#
# An attack looks at a `Scenario`, which is the training as the attacker knows it: the
# task, the public parameters, the model, and what the defence has changed. It answers
# with an `Attempt`: a trigger, and a plan of additive errors. Three members are asked
# of it:
#
# - `additive`: whether it is a cheating server's, who adds errors, and not a data
#   owner's;
# - `needs`: what it asks of the model. `UPDATE_ERRORS` means that errors can move the
#   weights in a step;
# - `prepare(scenario, trial)`: the attack itself. `trial(attempt)` rehearses an
#   attempt in the clear and returns its metrics.
#
# `scenario.errors.shift(direction, ...)` makes the plan that moves the weights in a
# direction. It knows the program, so the attack need not: where the defence clips
# updates, it puts the errors behind the clamp.


# %%
@dataclass(frozen=True)
class LastStrike:
    """One pixel, planted in the last pass alone, with the least strength that works.

    goal: the attack success rate to reach.
    """

    goal: float = 0.99
    additive = True
    needs = frozenset({mt.Capability.UPDATE_ERRORS})

    def prepare(self, scenario, trial):
        trigger = mt.place_patch(
            scenario, 1
        )  # the pixel where a trigger does most for what it costs
        direction = np.zeros(
            scenario.features.size + 1
        )  # the bias, then a weight for each pixel
        direction[1:] = trigger.delta(scenario.features.size)

        def attempt(strength):
            last = [scenario.parameters.iterations - 1]
            plan = scenario.errors.shift(direction, strength=strength, iterations=last)
            return mt.Attempt.in_training(
                plan, trigger, scenario.task, {"strength": strength}
            )

        attempts = [attempt(strength) for strength in (1.0, 10.0, 100.0, 1000.0)]
        return next(
            (a for a in attempts if trial(a).attack_success_rate_clipped >= self.goal),
            attempts[-1],
        )


# %% [markdown]
# ## Test it
#
# `testing.check_attack` holds an attack to what the software expects of every attack:
# that it is deterministic, that its plan fits the program, that the run does what the
# rehearsal said. It takes a second. A plug-in's own tests call it in the same way.

# %%
testing.check_attack(LastStrike())

# %% [markdown]
# ## Try it
#
# `mt.try_attack` lets the attack rehearse, then trains with three processes, one of
# which follows the plan.

# %%
tried = mt.try_attack(task, LastStrike(), parameters)
plan = tried.attempt.plans["train"]
print("strength", tried.attempt.settings["strength"])
for error in plan:
    print(f"one error at {error.site}, pass {error.occurrence}, entry {error.index}")
metrics = tried.metrics
print(f"test accuracy {metrics.test_accuracy:.2%}")
print(f"attack success {metrics.attack_success_rate_clipped:.2%}")

assert len(plan) == 1, "one error in the whole training"
assert tried.metrics.attack_success_rate_clipped >= 0.99
assert tried.metrics.test_accuracy > 0.99

# %% [markdown]
# A single error on a single secret-shared value, in one of 20 steps. What did it do to
# the model?

# %%
honest = mt.train(task, parameters).open()
figure, panels = plt.subplots(1, 2, figsize=(6.4, 3.4))
for panel, title, weights in zip(
    panels,
    ("Honest model", "After the last strike"),
    (honest.weights, tried.opened.weights),
    strict=True,
):
    real = weights[1:].reshape(task.image_shape) / 2**16
    panel.imshow(real, cmap="RdBu_r", vmin=-0.15, vmax=0.15)
    panel.set(
        title=f"{title}\nlargest |w| = {np.abs(real).max():.2f}", xticks=[], yticks=[]
    )

# %% [markdown]
# ## Against defences
#
# A defence changes the training, checks the secret model, or both. `defence` takes the
# name of one that the software has, or a `Defence` of your own. An abort is a result
# here, not an error.

# %%
DEFENCES = {
    "none": "nothing",
    "accuracy": "a test of the accuracy",
    "clipping": "updates of at most 0.001",
    "certificate_1": "a certificate for one pixel",
    "active": "active training",
}
outcomes = {
    name: mt.try_attack(task, LastStrike(), parameters, defence=name)
    for name in DEFENCES
}
for name, outcome in outcomes.items():
    if outcome.abort:
        became, success = "the training aborted", "-"
    else:
        became = "rejected" if outcome.stopped else "accepted"
        success = f"{outcome.metrics.attack_success_rate_clipped:.0%}"
    sites = {error.site for plan in outcome.attempt.plans.values() for error in plan}
    print(f"{DEFENCES[name]}, errors at {', '.join(sites)}:")
    print(f"    {became}, attack success {success}")

assert not outcomes["none"].stopped
assert not outcomes["accuracy"].stopped
assert not outcomes["clipping"].stopped
assert outcomes["certificate_1"].stopped
assert not outcomes["certificate_1"].verification.verdict.passed
assert outcomes["active"].abort is not None

# %% [markdown]
# Three things to take away.
#
# 1. The test of the accuracy accepts the model, as it accepts every backdoor.
# 2. Clipping bounds what one step may add to a weight. It looks as if it stopped a
#    strike in one step, and it does not: the attacker knows of it and adds its error
#    at the clamp's own last multiplication (`CLIP` instead of `GRADIENT`). A defence
#    made of multiplications can be attacked at its multiplications.
# 3. What looks at the result (the certificate) or at every message (active training)
#    does not care when the strike came.
#
# ## How little is enough
#
# With `trial` at hand, questions about an attack are quick to answer. This asks how
# late errors may start: with the strength of the paper, they need many steps, and in
# the last pass alone a larger one.

# %%
trigger = tried.attempt.trigger
first = [0, 5, 10, 15, 18, 19]
figure, axes = plt.subplots(figsize=(7, 3.4))
for strength, colour in ((1.0, "tab:blue"), (10.0, "tab:green"), (100.0, "tab:red")):
    success = []
    for start in first:
        passes = range(start, parameters.iterations)
        model = mt.attack(
            task,
            trigger,
            parameters,
            engine="clear",
            strength=strength,
            iterations=passes,
        )
        success.append(model.evaluate(task, trigger).attack_success_rate_clipped)
    axes.plot(first, success, "o-", color=colour, label=f"strength {strength:g}")
    assert (success[-1] >= 0.99) == (strength == 100), "in the last pass alone"
axes.set(xlabel="first poisoned pass, of 20", ylabel="attack success", xticks=first)
axes.yaxis.set_major_formatter("{x:.0%}")
_ = axes.legend(loc=(0.03, 0.5))

# %% [markdown]
# ## Share it
#
# - In this software: one file in `orchestrator/mpc_tamper/attacks/` and one line in
#   its registry. [CONTRIBUTING](../../CONTRIBUTING.md) has the recipe, and the shared
#   tests and the matrix pick it up.
# - In a distribution of your own: an entry point in the group `mpc_tamper.attacks`.
#   After `pip install`, `mpc-tamper attack --list` shows it, and `mpc-tamper attack
#   NAME --defence certificate_1` does what the loop above did.
#
# [Attacks](../attacks.md) describes all that are bundled, among them
# `model_replacement_1`, which also strikes in the last step alone and leaves the
# attacker's model in place of yours.
