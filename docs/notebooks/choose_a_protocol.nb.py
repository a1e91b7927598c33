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
# # Choose a protocol
#
# You want to train on secret-shared data, and you have to say under which protocol.
# The passive one is quick and trusts each server to follow it. The active one catches
# a server that does not. In between there is passive training whose result is
# verified. What does each cost, and what do you get? This notebook measures small runs
# of real processes here and now, and reads what full runs cost from the records in
# `results/`.

# %%
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import mpc_tamper as mt

PASSIVE, ACTIVE = "ring", "mal-rep-ring"  # the protocols' names, as MP-SPDZ has them
task = mt.first_rows(mt.load_task("mnist_0_1"), 500)
parameters = mt.SvmParameters(learning_rate=0.1, iterations=10)

# %% [markdown]
# ## What is sent
#
# Messages can be counted exactly: rounds and bytes depend on the program and the
# protocol, not on the machine or on what else it does. Both protocols compute the same
# function, and give the same weights.

# %%
trained = {
    protocol: mt.train(task, parameters, protocol=protocol)
    for protocol in (PASSIVE, ACTIVE)
}
runs = {protocol: secret.run for protocol, secret in trained.items()}
for protocol, run in runs.items():
    sent = f"{run.bytes_per_party:,} bytes in {run.rounds} rounds"
    print(f"{protocol}: {sent}, {run.seconds:.2f} s here")

assert np.array_equal(*(secret.open().weights for secret in trained.values()))
assert runs[ACTIVE].bytes_per_party < 1.05 * runs[PASSIVE].bytes_per_party
assert runs[ACTIVE].rounds < runs[PASSIVE].rounds + 30

# %% [markdown]
# The active protocol hardly sends more. Instead of computing everything twice it
# records what it sent, and proves at the end that all of it was right, in a few rounds
# however long the training was ([security](../security.md)). The proof is computation:
# what it costs is seconds of processor time.
#
# Where do the bytes go? The run says for each named step of the program.

# %%
steps = {protocol: secret.record()["steps"] for protocol, secret in trained.items()}
names = list(steps[PASSIVE])
figure, axes = plt.subplots(figsize=(7, 2.8))
for shift, protocol in ((0.2, PASSIVE), (-0.2, ACTIVE)):
    megabytes = [
        steps[protocol].get(name, {"bytes_sent": 0})["bytes_sent"] / 1e6
        for name in names
    ]
    axes.barh(np.arange(len(names)) + shift, megabytes, 0.4, label=protocol)
axes.set_yticks(range(len(names)), names)
axes.set(xlabel="MB sent by a server")
axes.legend()
figure.tight_layout()

# %% [markdown]
# ## Over a network
#
# On one machine a round takes no time. Between machines it takes at least the way
# there. `over` puts a network between the three processes, with a round trip and a
# rate; `--network` does so on the command line. Here are three passes over 500 rows,
# on a local network and on one of 20 ms.

# %%
rep3 = mt.get_engine(mt.EngineName.REP3)
short = mt.SvmParameters(learning_rate=0.1, iterations=3)
networks = {name: mt.read_network(name) for name in ("lan", "20ms,500Mbit")}
measured = {}
for name, network in networks.items():
    for protocol in (PASSIVE, ACTIVE):
        run = mt.train(task, short, engine=rep3.over(network), protocol=protocol).run
        least = run.rounds * network.latency_seconds
        measured[name, protocol] = run
        print(f"{network}, {protocol}: {run.seconds:.2f} s, latency {least:.2f} s")
        assert run.seconds > 0.5 * least

# %% [markdown]
# Over the slower network the rounds decide. As both protocols take nearly as many, the
# difference between them fades. A simple model predicts the seconds:
#
#     rounds * latency + bytes / rate + seconds on one machine
#
# ## At full size
#
# `make costs` measures trainings on all 12,665 images and more, and predicts both
# networks by that model. Here is its record.

# %%
results = mt.read_results(Path("..", "..", "results"))
costs = results["costs"]
full = [
    run
    for run in costs["runs"]
    if (run["engine"], run["phase"], run["rows"], run["iterations"])
    == ("rep3", "train", 12665, 100)
]
passive, active = sorted(full, key=lambda run: run["active"])
for run in (passive, active):
    seconds = {"one machine": run["seconds"]} | run["predicted_seconds"]
    shown = ", ".join(f"{place} {value:,.1f} s" for place, value in seconds.items())
    megabytes = run["bytes_per_party"] / 1e6
    print(f"{run['protocol']}: {megabytes:.1f} MB, {run['rounds']:,} rounds")
    print(f"    {shown}")

# %%
places = ["one machine", *passive["predicted_seconds"]]
figure, axes = plt.subplots(figsize=(7, 3.2))
for shift, run in ((-0.2, passive), (0.2, active)):
    heights = [run["seconds"], *run["predicted_seconds"].values()]
    bars = axes.bar(np.arange(len(places)) + shift, heights, 0.4, label=run["protocol"])
    axes.bar_label(bars, fmt="%.0f s", padding=2)
axes.set_xticks(range(len(places)), places)
axes.set(ylabel="seconds", title="100 passes over 12,665 images")
axes.margins(y=0.15)
_ = axes.legend(loc="upper left")

# %%
overhead = {
    place: active["predicted_seconds"][place] / passive["predicted_seconds"][place]
    for place in ("LAN", "WAN")
}
for place, factor in overhead.items():
    print(f"{place}: active training takes {factor:.2f} times as long as passive")
assert overhead["WAN"] < overhead["LAN"]

# %% [markdown]
# The record says on which commit and machine it was measured; proofs have become
# cheaper since some of it was. `make costs` brings it up to date on yours.
#
# ## What you get for it
#
# Now one server cheats: in each step it adds one error to the gradient.

# %%
trigger = mt.Trigger.patch(task.image_shape, row=2, column=2)
attacked = dict(strength=10, corrupt_party=2)

with tempfile.TemporaryDirectory() as folder:
    poisoned = mt.attack(
        task, trigger, parameters, protocol=PASSIVE, run_dir=folder, **attacked
    )
    accuracy = mt.verify(folder, task, mt.AccuracyThreshold(0.99))
    certificate = mt.verify(folder, task, mt.PixelRobustness(1, 0.9))
try:
    mt.attack(task, trigger, parameters, protocol=ACTIVE, **attacked)
    abort = None
except mt.ProtocolAbort as caught:
    abort = caught

success = poisoned.evaluate(task, trigger).attack_success_rate
print(f"passive: attack success {success:.0%}, and nobody notices")
for verification in (accuracy, certificate):
    sent = sum(run.bytes_per_party for run in verification.runs)
    word = "passes" if verification.verdict.passed else "fails"
    print(f"verified: {word} {verification.verdict.check}, for {sent:,} bytes more")
print("active:", str(abort).partition(". ")[0])

assert success == 1
assert accuracy.verdict.passed
assert not certificate.verdict.passed
assert abort is not None

# %% [markdown]
# ## So which one?
#
# - **You experiment on data of your own:** `--protocol ring`, or `--engine clear`.
#   Nobody else is there to cheat.
# - **You fear a server that cheats:** `--protocol mal-rep-ring`. Every additive error
#   aborts, whatever it aims at. This holds on a slow network in particular, where
#   rounds decide and it takes hardly more of them.
# - **You have to train passively:** `ring`, and then `mpc-tamper verify --robustness
#   K`. One opened bit rejects backdoors of at most K pixels or features.
# - **You fear an owner who enters poisoned rows:** none of these helps, as that owner
#   follows the protocol. See [defences](../defences.md).
# - **You have built [MP-SPDZ](../mp-spdz.md):** `--engine mp-spdz` has more protocols,
#   at the [costs](../../results/costs.md) of the record.
#
# Training that is passive and not verified leaves the model to the most dishonest of
# three servers. Verifying the accuracy alone does too. And whatever the protocol, do
# not open a model of other people's rows ([findings](../findings.md)).
#
# ## Where to go on
#
# - [Verification](../verification.md): what a certificate proves, and what it costs.
# - [Security of the built-in engine](../security.md): the proofs, and their soundness.
# - [Attack your own model](attack_your_own_model.nb.py), on a table.
