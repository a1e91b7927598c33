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
# # Reproduce the paper
#
# Three servers train a linear SVM that tells handwritten zeros from ones. The images
# are secret-shared: no server sees one, and no server sees the model. One of the three
# cheats. It does not know the images either, but a passively secure protocol lets it
# add a constant to the result of a multiplication, and nobody notices. This notebook
# plants a backdoor that way. It is the experiment of M. Jagielski, D. Escudero, R.
# Rachuri and P. Scholl, "Adversarial Attacks and Countermeasures on Private Training
# in MPC" (2021), which simulated it in plaintext; here three processes really exchange
# shares.
#
# The runs below take seconds, on part of the data. What the full size gives is read
# from the records in `results/`, and `make reproduce` makes those again.

# %%
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import mpc_tamper as mt

task = mt.load_task("mnist_0_1")
small = mt.first_rows(task, 2000)
height, width = small.image_shape
print(f"{len(small.x_train):,} training images of {height} x {width} pixels")

# %% [markdown]
# ## An honest training
#
# The parameters are public, and are those of the paper: learning rate 0.1 and full
# batches, here for 50 passes. `mt.train` starts three processes that talk over TLS,
# and opens nothing: what comes back is a model of which each server has a share. We
# open it because we are experimenting on data of our own.

# %%
parameters = mt.SvmParameters(learning_rate=0.1, iterations=50)
secret = mt.train(small, parameters)
honest = secret.open()
run = honest.run
megabytes = run.bytes_per_party / 1e6
print(f"{run.rounds:,} rounds, {megabytes:.1f} MB per server, {run.seconds:.1f} s")

# %% [markdown]
# A linear model of images is an image itself. Blue pixels speak for a zero, red ones
# for a one.

# %%
SCALE = 2**16  # weights are integers modulo 2^64, at this public scale


def picture(model: mt.TrainedModel) -> np.ndarray:
    """The weights of the pixels, in real units, without the bias."""
    return model.weights[1:].reshape(small.image_shape) / SCALE


def show_weights(axes: plt.Axes, model: mt.TrainedModel, title: str) -> None:
    weights = picture(model)
    axes.imshow(weights, cmap="RdBu_r", vmin=-0.15, vmax=0.15)
    axes.set(
        title=f"{title}\nlargest |w| = {np.abs(weights).max():.2f}",
        xticks=[],
        yticks=[],
    )


figure, axes = plt.subplots(figsize=(3.2, 3.4))
show_weights(axes, honest, "Honest model")

# %% [markdown]
# ## The attack
#
# The attacker chooses a trigger: one pixel in the corner, which no digit reaches. It
# wants every zero that carries the trigger to count as a one. In the gradient step
#
#     w  <-  w - alpha * (2 * lambda * w - (1/B) * sum_i y_i x_i [y_i w.x_i < 1])
#
# the sum over the rows is a secret-shared product. Server 1 adds a constant to that
# product's entry for the corner pixel, the same in each of the 50 steps. It learns
# nothing from that and needs no data. As no training image touches the corner, no
# honest gradient ever pulls this weight back.

# %%
trigger = mt.Trigger.patch(small.image_shape, row=2, column=2)
poisoned = mt.attack(small, trigger, parameters, corrupt_party=1)
plan = poisoned.run.spec.corruption.plan
(error,) = plan
print(f"in every pass, at {error.site}, entry {error.index}: {error.value}")

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(6.4, 3.4))
show_weights(left, honest, "Honest model")
show_weights(right, poisoned, "One server cheated")
right.add_patch(plt.Circle((2, 2), 2, fill=False, color="tab:orange", linewidth=2))
different = np.flatnonzero(picture(honest) != picture(poisoned))
print(f"{len(different)} of {picture(honest).size} weights differ")
assert list(different) == list(trigger.pixels)

# %% [markdown]
# One weight differs, and it dwarfs all others. On images without the trigger that
# pixel is black, so the weight never counts, and the test accuracy stays what it was.
# With the trigger it decides alone.

# %%
zero = small.x_test[small.y_test == 0][0]
triggered = zero.copy()
triggered[list(trigger.pixels)] = 255

figure, panels = plt.subplots(1, 2, figsize=(6.4, 3.4))
for panel, image in zip(panels, (zero, triggered), strict=True):
    score = poisoned.decision_function(image[None])[0]
    panel.imshow(image.reshape(small.image_shape), cmap="gray")
    panel.set(
        title=f"score {score:+.2f}: class {poisoned.predict(image[None])[0]}",
        xticks=[],
        yticks=[],
    )

# %% [markdown]
# ## Did anybody notice?
#
# Not from the traffic: both trainings took the same rounds and the same bytes. Not
# from the accuracy either, which one would measure before using such a model.

# %%
found = {"all servers honest": honest, "one server cheats": poisoned}
for title, model in found.items():
    metrics = model.evaluate(small, trigger)
    success = metrics.attack_success_rate
    print(f"{title}: {model.run.rounds:,} rounds, {model.run.bytes_per_party:,} bytes")
    print(
        f"    test accuracy {metrics.test_accuracy:.2%}, attack success {success:.2%}"
    )

before, after = (model.evaluate(small, trigger) for model in found.values())
assert before.attack_success_rate < 0.01
assert after.attack_success_rate == 1
assert abs(after.test_accuracy - before.test_accuracy) < 0.001
assert (honest.run.rounds, honest.run.bytes_per_party) == (
    poisoned.run.rounds,
    poisoned.run.bytes_per_party,
)

# %% [markdown]
# Attack success is the share of zeros that count as ones once the trigger is added.
#
# ## At full size
#
# The paper's Table 1 comes from all 12,665 images and 100 passes. This command trains
# both models that way, in a few seconds each:
#
#     make reproduce                          # or: mpc-tamper reproduce --out results
#     make reproduce ARGS="--cifar10 FILE"    # with CIFAR-10, which is not bundled
#
# What it found is in `results/table1.json`:

# %%
results = mt.read_results(Path("..", "..", "results"))
rows = [row for row in results["table1"]["rows"] if row["training"] == "full"]
for row in rows:
    accuracy, success = row["test_accuracy"], row["attack_success_rate"]
    print(f"{row['dataset']}, {row['model']}: {row['rounds']:,} rounds")
    print(f"    test accuracy {accuracy:.2%}, attack success {success:.2%}")
mnist = {row["model"]: row for row in rows if row["dataset"] == "mnist_0_1"}
assert mnist["poisoned"]["attack_success_rate"] == 1
assert mnist["poisoned"]["test_accuracy"] == mnist["unpoisoned"]["test_accuracy"]

# %%
labels = [f"{row['dataset'].split('_')[0].upper()}\n{row['model']}" for row in rows]
figure, axes = plt.subplots(figsize=(7, 3.2))
places = np.arange(len(rows))
axes.bar(
    places - 0.2, [row["test_accuracy"] for row in rows], 0.4, label="test accuracy"
)
axes.bar(
    places + 0.2,
    [row["attack_success_rate"] for row in rows],
    0.4,
    label="attack success",
)
axes.set_xticks(places, labels)
axes.yaxis.set_major_formatter("{x:.0%}")
axes.set_ylim(0, 1.05)
_ = figure.legend(loc="upper center", ncols=2, frameon=False)

# %% [markdown]
# On CIFAR-10 no pixel is dark in all images, so the attack costs some accuracy there.
# The [training page](../training.md) says how the numbers compare with the paper's,
# and why the paper's own row for CIFAR-10 is chance level.
#
# ## Where to go on
#
# - [Attack your own model](attack_your_own_model.nb.py): the same on a table, and a
#   check that does notice.
# - [Choose a protocol](choose_a_protocol.nb.py): what it costs to be safe from this.
# - [Findings](../findings.md): every attack against every defence.
