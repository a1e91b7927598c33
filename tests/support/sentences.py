"""The sentences of the pages that have figures of a record: a template, and what the record fills it in with.

A sentence may be any part of a page that stands there once lines are joined, such as the row of a table.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tests.support import audit_sentences
from tests.support.own_sentences import FINDINGS as OWN
from tests.support.records import CIFAR10, MNIST, Records

Figures = Callable[[Records], Sequence[object]]
ACC, ASR, UNCLIPPED = "clean_accuracy", "attack_success_rate_clipped", "attack_success_rate"
BACKDOORS = ("backdoor_1", "backdoor_4", "backdoor_16", "backdoor_64", "backdoor_stealthy")


def percent(share: float, digits: int = 1) -> str:
    return f"{100 * share:.{digits}f}%"


def megabytes(count: float, digits: int = 1) -> str:
    return f"{count / 1e6:.{digits}f}"


def difference(first: float, second: float) -> str:
    """In points."""
    return f"{100 * (first - second):.1f}"


def whole(share: float) -> str:
    """100% as the pages write it, without a decimal."""
    return percent(share).replace("100.0%", "100%")


def planted(r: Records) -> list[dict[str, object]]:
    """Backdoors of MNIST against the accuracy, whatever plants them."""
    attacks = (*BACKDOORS, "backdoor_analysis", "model_replacement_1", "model_replacement_16", "overflow")
    return [r.mnist(attack, "accuracy") for attack in attacks]


FINDINGS: list[tuple[str, Figures]] = [
    (
        "1 to 64 pixels, {} to {} success, and an accuracy of {} as without an attack. The check catches "
        "what it is made "
        "for: rows left out ({} accuracy), rows counted often ({}), random errors ({}).",
        lambda r: (
            whole(min(c[ASR] for c in planted(r))),
            whole(max(c[ASR] for c in planted(r))),
            percent(r.mnist("backdoor_1")[ACC], 2),
            *(percent(r.mnist(name)[ACC]) for name in ("gradient_zeroing", "gradient_scaling", "sabotage")),
        ),
    ),
    (
        "The certificate costs {} s, {} MB and {} rounds on top of a training of {} s; together that is {} of active "
        "training's seconds.",
        lambda r: (
            f"{r.mnist('none', 'certificate_4')['seconds'] - r.mnist()['seconds']:.1f}",
            megabytes(r.mnist("none", "certificate_4")["bytes_per_party"] - r.mnist()["bytes_per_party"]),
            r.mnist("none", "certificate_4")["rounds"] - r.mnist()["rounds"],
            f"{r.mnist()['seconds']:.1f}",
            f"{r.mnist('none', 'certificate_4')['seconds'] / r.mnist('none', 'active')['seconds']:.2f}",
        ),
    ),
    (
        "Without low-variance pixels the trigger moves to pixels that are kept ({}). With a clamp on the "
        "update, errors go "
        "in after the clamp ({}). Principal components do stop small triggers, until the attacker tampers with the "
        "components themselves ({} with one pixel, at the honest accuracy).",
        lambda r: (
            percent(r.mnist("backdoor_1", "low_variance")[ASR]),
            percent(r.mnist("backdoor_1", "clipping")[ASR]),
            percent(r.mnist("backdoor_analysis", "pca")[ASR]),
        ),
    ),
    (
        "in all rows of the matrix, at {} times the seconds and {} times the bytes. It does not look at the "
        "data: 5% of "
        "poisoned rows give a backdoor with {} success under an honest protocol.",
        lambda r: (
            f"{r.mnist('none', 'active')['seconds'] / r.mnist()['seconds']:.1f}",
            f"{r.mnist('none', 'active')['bytes_per_party'] / r.mnist()['bytes_per_party']:.3f}",
            percent(r.mnist("poisoning_5", "active")[ASR], 0),
        ),
    ),
    (
        "each of its four weights is {}, while a clean model's largest is {}. A margin of {} is",
        lambda r: (
            f"{r.mnist('backdoor_4')['max_abs_weight']:.2f}",
            f"{r.mnist()['max_abs_weight']:.2f}",
            f"{r.mnist('backdoor_4')['max_abs_weight']:.2f}",
        ),
    ),
    (
        "an error of 2^62 on one gradient leaves a weight of {} million on a pixel",
        lambda r: (f"{r.mnist('overflow')['max_abs_weight'] / 1e6:.1f}",),
    ),
    (
        "removal of low-variance pixels keeps the trigger: {} success with it as without. PCA does not "
        "notice so small a "
        "variance ({}), and clipped updates are too small for so few rows to matter ({}).",
        lambda r: (
            percent(r.mnist("poisoning_5", "low_variance")[ASR]),
            percent(r.mnist("poisoning_5", "pca")[ASR]),
            percent(r.mnist("poisoning_5", "clipping")[ASR]),
        ),
    ),
    (
        "is no easier to see** than moving one weight: the accuracy is {}.",
        lambda r: (percent(r.mnist("model_replacement_1")[ACC], 2),),
    ),
    (
        "Without an attack the accuracy is {} after 100 steps, on the pixels of the JPEG copy (its checksum is in the "
        "record). The checks ask for {} accuracy, and for {} and {} of the images to be certified for 1 and "
        "4 pixels. All {} cells were run,",
        lambda r: (
            percent(r.cifar10()[ACC]),
            *(
                percent(r.studies[CIFAR10]["thresholds"][check] / r.studies[CIFAR10]["test_images"], 0)
                for check in ("accuracy", "certificate_1", "certificate_4")
            ),
            sum(dataset == CIFAR10 for dataset, _, _ in r.cells),
        ),
    ),
    (
        "disturb everything else: {} success costs ten points of accuracy ({}) and is rejected.",
        lambda r: (percent(r.cifar10("backdoor_1")[ASR]), percent(r.cifar10("backdoor_1")[ACC])),
    ),
    (
        "The replaced model reaches {} success with a single pixel at an accuracy of {}, and {} with 16 at {}; "
        "both pass.",
        lambda r: tuple(
            percent(r.cifar10(f"model_replacement_{pixels}")[what]) for pixels in (1, 16) for what in (ASR, ACC)
        ),
    ),
    (
        "A patch of 64 pixels that nobody has planted turns {} of the airplanes",
        lambda r: (percent(r.cifar10("backdoor_64")["honest_success_rate"], 0),),
    ),
    (
        "Poisoning by an owner hardly works on this model: {} success with 5% of the rows, {} without.",
        lambda r: (
            percent(r.cifar10("poisoning_5")[ASR], 0),
            percent(r.cifar10("poisoning_5")["honest_success_rate"], 0),
        ),
    ),
    (
        "With 64 pixels it works: {} success at {} accuracy (MNIST: {} at {}).",
        lambda r: (
            percent(r.cifar10("backdoor_64", "pca")[ASR]),
            percent(r.cifar10("backdoor_64", "pca")[ACC]),
            percent(r.mnist("backdoor_64", "pca")[ASR]),
            percent(r.mnist("backdoor_64", "pca")[ACC]),
        ),
    ),
    (
        "| {} success at {} accuracy | {} at {} | {} at {} |",
        lambda r: [percent(r.mnist(f"backdoor_{pixels}", "pca")[key]) for pixels in (1, 16, 64) for key in (ASR, ACC)],
    ),
    (
        "| replaces the model of components | {} at {} | {} at {} | |",
        lambda r: [
            whole(r.mnist(f"model_replacement_{pixels}", "pca")[key]) for pixels in (1, 16) for key in (ASR, ACC)
        ],
    ),
    (
        "| also adds errors in `pca.mpc` | {} at {} | | |",
        lambda r: [percent(r.mnist("backdoor_analysis", "pca")[key]) for key in (ASR, ACC)],
    ),
    (
        "still tells on which side of the mean an image lies ({} accuracy instead of {}).",
        lambda r: (percent(r.mnist("gradient_zeroing", "pca")[ACC]), percent(r.mnist("gradient_zeroing")[ACC])),
    ),
    (
        "Against the stealthy backdoor it protects less: {} success on MNIST, where the secret components of "
        "`pca` leave "
        "{}.",
        lambda r: (
            percent(r.mnist("backdoor_stealthy", "pca_by_owner")[ASR]),
            percent(r.mnist("backdoor_stealthy", "pca")[ASR]),
        ),
    ),
    (
        "As an attack on the model it is noise at the hinge ({} accuracy, backdoor {}).",
        lambda r: (percent(r.mnist("comparison_probing")[ACC], 2), percent(r.mnist("comparison_probing")[ASR])),
    ),
    (
        "{} of {} against {} of {}, one bit per verdict, in an experiment with {} rows and {} known examples.",
        lambda r: (
            *(
                figure
                for failed, asked in zip(
                    r.probing["leaks"][0]["failed_of_class"], r.probing["leaks"][0]["asked_of_class"], strict=True
                )
                for figure in (failed, asked)
            ),
            r.probing["rows"],
            r.probing["examples"],
        ),
    ),
    (
        "on `rep3` with all {:,} rows of MNIST 0/1 (mini-batches of {}, learning rate {}, five passes, no "
        "regularisation, "
        "a setting in which an honest training reaches {}): all {} pixels and the label of {} of {} chosen "
        "rows, exactly",
        lambda r: (
            r.leak_row["rows"],
            r.leak_row["parameters"]["batch_size"],
            r.leak_row["parameters"]["learning_rate"],
            percent(r.leak_row["honest_accuracy"], 2),
            {f["pixels"] for f in r.leak_row["found"]}.pop(),
            sum(f["exact"] == f["pixels"] and f["label"] == f["true_label"] for f in r.leak_row["found"]),
            len(r.leak_row["found"]),
        ),
    ),
    (
        "what a trigger does that nobody planted: at most {} on MNIST, and {} to {} on CIFAR-10",
        lambda r: (
            percent(max(c["honest_success_rate"] for (data, _, _), c in r.cells.items() if data == MNIST), 0),
            percent(min(c["honest_success_rate"] for (data, _, _), c in r.cells.items() if data == CIFAR10), 0),
            percent(max(c["honest_success_rate"] for (data, _, _), c in r.cells.items() if data == CIFAR10), 0),
        ),
    ),
    (
        "with a quarter of the neurons pruned and the rest tuned, its success falls from {} to at most {}, in all "
        "three seeds, at an accuracy at most {} points below an honest training's.",
        lambda r: (
            whole(min(r.pruned("dormant_neuron_4", "none"))),
            percent(max(r.pruned("dormant_neuron_4", "fine_pruning_25"))),
            max(
                (difference(honest, left) for honest, left in zip(*r.accuracies(), strict=True)),
                key=float,
            ),
        ),
    ),
    (
        "keeps at least {} of its success after fine-pruning of a quarter or half of the neurons",
        lambda r: (
            percent(
                min(
                    share
                    for attack in ("neuron_kept_on_4", "all_neurons_4")
                    for defence in ("fine_pruning_25", "fine_pruning_50")
                    for share in r.pruned(attack, defence)
                )
            ),
        ),
    ),
    (
        "and all three attacks fall to at most {}.",
        lambda r: (
            percent(
                max(
                    share
                    for attack in ("dormant_neuron_4", "neuron_kept_on_4", "all_neurons_4")
                    for share in r.pruned(attack, "input_pruning")
                )
            ),
        ),
    ),
    (
        "the patch on all neurons still works ({} at an accuracy of {}), and a dormant neuron reaches {}.",
        lambda r: (
            whole(r.network("all_neurons_4", "input_pruning")[ASR]),
            percent(r.network("all_neurons_4", "input_pruning")[ACC]),
            percent(r.network("dormant_neuron_4", "input_pruning")[ASR], 0),
        ),
    ),
]
FINDINGS += [
    (
        "the [cost model](verification.md#costs) makes passive training plus the certificate of the table above {:.2f} "
        "times as slow as active training.",
        lambda r: (on_the_wan(r, r.mnist("none", "certificate_4")) / on_the_wan(r, r.mnist("none", "active")),),
    ),
]
COSTS_OF_DEFENCES = {
    "passive training": "none",
    "+ accuracy, one bit": "accuracy",
    "+ certificate, one bit, any k": "certificate_4",
    "low-variance pixels removed": "low_variance",
    "updates clipped": "clipping",
    "PCA by the servers, lift active": "pca",
    "PCA by the owner": "pca_by_owner",
    "active training": "active",
}
FINDINGS += [
    (
        f"| {label} | {{}} | {{}} | {{}} | {{:,}} |",
        lambda r, defence=defence: (
            f"{r.mnist('none', defence)['seconds']:.1f}",
            times(r.mnist("none", defence)["seconds"] / r.mnist()["seconds"]),
            megabytes(r.mnist("none", defence)["bytes_per_party"]),
            r.mnist("none", defence)["rounds"],
        ),
    )
    for label, defence in COSTS_OF_DEFENCES.items()
]


def on_the_wan(r: Records, cell: dict[str, float]) -> float:
    """Seconds, by the cost model."""
    (wan,) = [network for network in r.costs["networks"] if network["name"] == "WAN"]
    on_the_way = cell["rounds"] * wan["latency_seconds"] + 8 * cell["bytes_per_party"] / wan["bits_per_second"]
    return on_the_way + cell["seconds"]


def times(ratio: float) -> str:
    return "1" if ratio == 1 else f"{ratio:.1f}" if ratio >= 2 else f"{ratio:.2f}"


def whole_training(r: Records, *way: str) -> list[float]:
    """Of the ratios on all rows with T = 100 on rep3, that on one machine and that on the WAN."""
    found = [
        each for each in r.costs["ratios"] if (each["engine"], each["rows"], each["iterations"]) == ("rep3", 12665, 100)
    ]
    (ratios,) = found
    for key in way:
        ratios = ratios[key]
    return [ratios["seconds"], ratios["WAN"]]


VERIFICATION: list[tuple[str, Figures]] = [
    (
        "takes {:.2f} times the seconds of passive training on one machine, and {:.2f} times on the WAN",
        lambda r: whole_training(r, "active_over_passive"),
    ),
    (
        "verification takes {:.2f} of active training on one machine and as long on the WAN",
        lambda r: [each for each in whole_training(r, "verified_over_active", "public") if round(each, 2) != 1],
    ),
    (
        "There the accuracy takes {:,} bytes and {} rounds,",
        lambda r: (r.verification("public")["bytes_per_party"], r.verification("public")["rounds"]),
    ),
    (
        "and the certificate {:,} bytes and {} rounds,",
        lambda r: [r.mnist("none", "certificate_4")[key] - r.mnist()[key] for key in ("bytes_per_party", "rounds")],
    ),
    (
        "on secret examples {} MB and {},",
        lambda r: (megabytes(r.verification("secret")["bytes_per_party"]), r.verification("secret")["rounds"]),
    ),
    (
        "on CIFAR-10 {} MB and {}.",
        lambda r: (
            megabytes(r.cifar10("none", "certificate_4")["bytes_per_party"] - r.cifar10()["bytes_per_party"]),
            r.cifar10("none", "certificate_4")["rounds"] - r.cifar10()["rounds"],
        ),
    ),
    (
        "So the model is off by up to {}, for `shamir`.",
        lambda r: (
            percent(max(abs(1 - c["measured_over_predicted"]) for c in r.costs["checks"] if c["network"] == "WAN"), 0),
        ),
    ),
    (
        "the noise of the machine dominates: the ratios go from {:.2f} to {:.2f}.",
        lambda r: [
            least_or_most(c["measured_over_predicted"] for c in r.costs["checks"] if c["network"] == "LAN")
            for least_or_most in (min, max)
        ],
    ),
]
VERIFICATION += [
    (
        f"| `{engine}` `{protocol}` | {{:.2f}} | {{:.2f}} | {{:.2f}} |",
        lambda r, engine=engine, protocol=protocol: (
            r.relayed(engine, protocol, "train"),
            r.relayed(engine, protocol, "verify", "public"),
            r.relayed(engine, protocol, "verify", "secret"),
        ),
    )
    for engine, protocol in [
        ("rep3", "ring"),
        ("rep3", "mal-rep-ring"),
        *(("mp-spdz", p) for p in ("ring", "ps-rep-ring", "mal-rep-ring", "sy-rep-ring", "mal-shamir", "shamir")),
    ]
]


def table1_row(row: dict[str, object], *keys: str) -> list[str]:
    return [percent(row[key], 2).replace("100.00%", "100%") for key in keys]


TRAINING: list[tuple[str, Figures]] = [
    (
        f"| {label} | {{}} | {{}} | {{}} |",
        lambda r, place=place: table1_row(r.table1(*place), "test_accuracy", UNCLIPPED, ASR),
    )
    for label, place in {
        "unpoisoned, target 1": (MNIST, "unpoisoned"),
        "poisoned, target 1, strength 1": (MNIST, "poisoned"),
        "full, unpoisoned": (CIFAR10, "unpoisoned"),
        "full, strength 3.1": (CIFAR10, "poisoned"),
        "under-trained, unpoisoned": (CIFAR10, "unpoisoned", "under-trained"),
        "under-trained, strength 1": (CIFAR10, "poisoned", "under-trained"),
    }.items()
] + [
    (
        "it costs {} points of accuracy.",
        lambda r: (difference(*(r.table1(CIFAR10, model)["test_accuracy"] for model in ("unpoisoned", "poisoned"))),),
    ),
    (
        "(T = 100, alpha = 0.1, one pixel) that is {:.2f},",
        lambda r: (r.table1(MNIST, "poisoned")["max_abs_weight"],),
    ),
    (
        "this adds ten rounds and {:.0f} kB to a step. At C = 0.001 the plain runs on MNIST and CIFAR-10 keep their "
        "accuracy ({:.4f} and {:.4f})",
        lambda r: (
            (r.mnist("none", "clipping")["bytes_per_party"] - r.mnist()["bytes_per_party"]) / 100 / 1e3,
            r.mnist("none", "clipping")[ACC],
            r.cifar10("none", "clipping")[ACC],
        ),
    ),
]
README: list[tuple[str, Figures]] = [
    ("({} on CIFAR-10 if pixels may not exceed white)", lambda r: (percent(r.table1(CIFAR10, "poisoned")[ASR], 2),)),
    (
        "at {:.1f} times the seconds of passive training on one machine, {:.2f} times on a WAN, "
        "and {:.3f} times the bytes.",
        lambda r: (
            r.bench["active_over_passive_seconds"],
            whole_training(r, "active_over_passive")[1],
            r.bench["active_over_passive_bytes"],
        ),
    ),
]
SECURITY: list[tuple[str, Figures]] = [
    (
        "active training takes **{:.2f}** times the seconds of passive training ({:.2f} against {:.2f} s) "
        "and **{:.4f}** "
        "times the bytes per party",
        lambda r: (
            r.bench["active_over_passive_seconds"],
            r.bench["active_training_seconds"],
            r.bench["passive_training_seconds"],
            r.bench["active_over_passive_bytes"],
        ),
    ),
    ("and {} GB of memory per party", lambda r: (f"{r.bench['active_peak_rss_bytes_per_party'] / 1e9:.2f}",)),
    (
        "In processor seconds of all parties active training takes {:.2f} times passive training. Networks pay more: "
        "an epoch of ten classes with {} hidden neurons takes {:.2f} times the seconds, and {:.2f} times the "
        "processor seconds",
        lambda r: (
            r.bench["active_over_passive_cpu_seconds"],
            *(
                r.bench["networks"]["epoch"][k]
                for k in ("hidden", *(f"active_over_passive_{each}seconds" for each in ("", "cpu_")))
            ),
        ),
    ),
    (
        "({} against {} MB, of which",
        lambda r: [megabytes(r.mnist("none", d)["bytes_per_party"], 2) for d in ("active", "none")],
    ),
    (
        "training takes {} more rounds in its record",
        lambda r: (r.mnist("none", "active")["rounds"] - r.mnist()["rounds"],),
    ),
]
ATTACKS: list[tuple[str, Figures]] = [
    (
        "the committed matrix this is the case in {} of {} cells",
        lambda r: (
            sum(not c["settings"]["within"] for c in stealthy(r)),
            len(stealthy(r)),
        ),
    ),
    (
        "strength {:.2f} takes 575 errors in `pca.mpc` and one per step; {} of the zeros become ones at the "
        "honest model's "
        "accuracy, {:.4f}.",
        lambda r: (
            r.mnist("backdoor_analysis", "pca")["settings"]["strength"],
            percent(r.mnist("backdoor_analysis", "pca")[ASR]),
            r.mnist("backdoor_analysis", "pca")[ACC],
        ),
    ),
]
DEFENCES: list[tuple[str, Figures]] = [
    (
        "for 16 pixels on CIFAR-10, where the threshold is {}",
        lambda r: (percent(r.studies[CIFAR10]["thresholds"]["certificate_16"] / r.studies[CIFAR10]["test_images"], 0),),
    ),
]


def stealthy(r: Records) -> list[dict[str, dict[str, float]]]:
    return [cell for (_, attack, _), cell in r.cells.items() if attack == "backdoor_stealthy"]


FINDINGS += OWN
PAGES = {
    "README.md": (*README, *audit_sentences.README),
    "docs/attacks.md": ATTACKS,
    "docs/defences.md": DEFENCES,
    "docs/findings.md": (*FINDINGS, *audit_sentences.FINDINGS),
    "docs/security.md": SECURITY,
    "docs/training.md": TRAINING,
    "docs/verification.md": VERIFICATION,
}
