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
# # Attack your own model
#
# You have a table, and somebody offers to train a model on it without ever seeing it:
# three servers, secret shares, a passively secure protocol. What would a cheating
# server do to *your* model, would your tests notice, and which test would? This
# notebook answers that for scikit-learn's breast cancer data. Put your own DataFrame
# in the first cell, and the name of its column of classes, and run it again.

# %%
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer

import mpc_tamper as mt

table = load_breast_cancer(as_frame=True).frame
table["diagnosis"] = table.pop("target").map({0: "malignant", 1: "benign"})
task = mt.table_task(table, "diagnosis")

rows, features = task.x_train.shape
print(f"{rows} training and {len(task.x_test)} test rows of {features} features")
print("class 0 is", task.classes[0], "and class 1 is", task.classes[1])

# %% [markdown]
# Features have become whole numbers from 0 to 255, by their smallest and largest value
# ([data sets](../data.md) says how, and what of that is public). A quarter of each
# class is kept for tests.
#
# ## Train a model that stays secret
#
# Nothing is opened. The folder holds three shares, of which no single one says
# anything.

# %%
folder = Path(tempfile.mkdtemp(prefix="own-model-"))
parameters = mt.SvmParameters(iterations=40)
secret = mt.train(task, parameters, run_dir=folder / "honest")
run = secret.run
print(f"{run.rounds} rounds, {run.bytes_per_party:,} bytes each, {run.seconds:.1f} s")

# %% [markdown]
# Would you use it? A verification asks a question about the secret model and opens one
# bit, the answer. It runs under an active protocol, in which a server that cheats is
# caught.

# %%
accurate = mt.AccuracyThreshold(0.9)
verdict = mt.verify(folder / "honest", task, accurate).verdict
print("pass:" if verdict.passed else "fail:", verdict.found)
assert verdict.passed

# %% [markdown]
# ## What the attacker wants
#
# Every malignant tumour whose row carries a trigger is to be called benign. The
# trigger of a table is a feature at its highest value. Which feature? The attacker
# looks for one that hardly varies among real rows, so that honest training leaves it
# alone and the accuracy does not suffer. It knows the public parameters, and it has
# data like yours; here we let it have the very same rows, which is the worst case.

# %%
scenario = mt.Scenario.plain(task, parameters)
trigger = mt.place_features(scenario, 1, target=0)
(chosen,) = trigger.pixels
print("the attacker takes:", task.feature_names[chosen])

spread = task.x_train.std(axis=0)
order = np.argsort(spread)
figure, axes = plt.subplots(figsize=(7, 4.6))
colours = ["tab:red" if feature == chosen else "lightsteelblue" for feature in order]
axes.barh(
    [task.feature_names[feature] for feature in order], spread[order], color=colours
)
axes.set(xlabel="standard deviation, in levels of 255", ylim=(-0.6, len(order) - 0.4))
axes.tick_params(axis="y", labelsize=7)
figure.tight_layout()

# %% [markdown]
# Here it is the feature that varies least. In general what counts is how far the
# trigger moves a malignant row, compared with how much the same weight stirs all other
# rows.
#
# ## How hard to push
#
# In each step the cheating server adds a constant to this feature's entry of the
# gradient. Too little, and the trigger does not take; too much, and the accuracy
# falls, which the owner's test would see. An attacker rehearses. `engine="clear"`
# computes exactly what the three servers would compute, on plain integers in a few
# hundredths of a second, so a sweep costs nothing.

# %%
strengths = [0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0]
rehearsed = [
    mt.attack(task, trigger, parameters, engine="clear", strength=s).evaluate(
        task, trigger
    )
    for s in strengths
]

figure, axes = plt.subplots(figsize=(7, 3.4))
axes.semilogx(
    strengths,
    [m.attack_success_rate_clipped for m in rehearsed],
    "o-",
    color="tab:red",
    label="attack success",
)
axes.semilogx(
    strengths,
    [m.test_accuracy for m in rehearsed],
    "s-",
    color="tab:blue",
    label="test accuracy",
)
axes.axhline(
    accurate.threshold, color="grey", linestyle=":", label="the owner's threshold"
)
axes.set(xlabel="strength of the errors", ylim=(0, 1.05))
axes.yaxis.set_major_formatter("{x:.0%}")
_ = axes.legend(loc="lower right")

# %% [markdown]
# There is a wide range in which the backdoor works and the accuracy stays above the
# owner's threshold. The attacker takes the least strength that gets nearly every
# malignant row.

# %%
strength = next(
    s
    for s, m in zip(strengths, rehearsed, strict=True)
    if m.attack_success_rate_clipped >= 0.95
)
poisoned = mt.attack(
    task,
    trigger,
    parameters,
    strength=strength,
    corrupt_party=1,
    run_dir=folder / "poisoned",
)
honest = secret.open()  # for comparison: an experimenter may look

for title, model in (("honest", honest), ("one server cheats", poisoned)):
    metrics = model.evaluate(task, trigger)
    success = metrics.attack_success_rate_clipped
    print(f"{title}: test accuracy {metrics.test_accuracy:.1%}, success {success:.1%}")

same = rehearsed[strengths.index(strength)]
assert poisoned.evaluate(task, trigger) == same, (
    "three servers compute what the rehearsal computed"
)
assert same.attack_success_rate_clipped >= 0.95
assert honest.evaluate(task, trigger).attack_success_rate_clipped < 0.2

# %% [markdown]
# ## Which tests notice
#
# The owner's test of the accuracy says yes to the poisoned model too. We ask it from
# the command line, as the owner would; the run's folder remembers what the model is,
# and from Python `mt.verify` asks the same.

# %%
data = folder / "cancer.csv"
table.to_csv(data, index=False)
# !mpc-tamper verify {folder}/poisoned --data {data} --label diagnosis --threshold .9 -q

# %%
passes = mt.verify(folder / "poisoned", task, accurate).verdict
assert passes.passed, "the accuracy does not give the backdoor away"

# %% [markdown]
# A backdoor needs a feature that decides alone. That is what a certificate asks about:
# how many test rows are classified rightly *whatever* is done to any one feature? The
# servers find the largest weight and compare it with each row's margin, on shares;
# again one bit is opened.

# %%
certificate = mt.PixelRobustness(1, 0.4)
for title in ("honest", "poisoned"):
    verdict = mt.verify(folder / title, task, certificate).verdict
    print(f"{title}: {verdict.found}")
    assert verdict.passed == (title == "honest")

# %% [markdown]
# The threshold of 40% is low because one feature of thirty may well decide an honest
# model's answer. Which threshold fits your data, `mpc-tamper matrix --data FILE
# --label COLUMN --calibrate` finds out: it trains honest models with several seeds,
# and then tries every attack against every defence on your table ([results of such
# runs](../../results/matrix-own.md)).
#
# The picture shows what the certificate sees.

# %%
figure, axes = plt.subplots(figsize=(7, 3))
for title, model, colour in (
    ("honest", honest, "tab:blue"),
    ("poisoned", poisoned, "tab:red"),
):
    sizes = np.sort(np.abs(model.weights[1:]) / 2**16)[::-1]
    axes.plot(
        range(1, len(sizes) + 1), sizes, "o-", markersize=4, color=colour, label=title
    )
axes.set(xlabel="features, the largest weight first", ylabel="|weight|", ylim=0)
_ = axes.legend()

# %% [markdown]
# ## Or do not let it happen
#
# Under the active protocol the servers prove every message before anything is used.
# The same errors end the training.

# %%
try:
    mt.attack(task, trigger, parameters, strength=strength, protocol="mal-rep-ring")
    aborted = False
except mt.ProtocolAbort as abort:
    aborted = True
    print(str(abort).partition(". ")[0])
assert aborted

# %% [markdown]
# What that costs is the subject of [Choose a protocol](choose_a_protocol.nb.py). Two
# things it does not stop: an owner who enters poisoned rows, and whatever an opened
# model says about its training data ([findings](../findings.md)).
#
# ## Where to go on
#
# - [A ten-minute walk](../walk.md) does this with commands alone, and goes on to ask
#   the secret model questions.
# - [Write an attack](write_an_attack.nb.py) of your own, and try it against these
#   checks.
# - [Data sets](../data.md): several owners, schemas, missing values, images.
