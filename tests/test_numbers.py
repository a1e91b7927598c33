"""The figures in the prose are those of the records: each sentence is filled in from results/ and looked for.

After a new record, run these tests: what fails shows the sentence as the record has it. A figure that is no record's
says beside it how it was obtained.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import replace

import numpy as np
import pytest

import mpc_tamper as mt
from mpc_tamper.models.linear_svm.parameters import PLAIN
from mpc_tamper.models.linear_svm.robustness import certified
from tests.support.places import ROOT
from tests.support.records import MNIST, Records
from tests.support.sentences import PAGES, Figures, percent

RECORDS = Records(ROOT / "results")
SENTENCES = [(page, template, figures) for page, sentences in PAGES.items() for template, figures in sentences]


@pytest.mark.parametrize(("page", "template", "figures"), SENTENCES, ids=[f"{p}: {t[:40]}" for p, t, _ in SENTENCES])
def test_a_sentence_has_the_figures_of_the_record(page: str, template: str, figures: Figures) -> None:
    text = " ".join((ROOT / page).read_text(encoding="utf-8").split())
    expected = template.format(*figures(RECORDS))
    assert expected in text, f"{page}: expected {expected!r}, got {_nearest(expected, text)!r}"


def _nearest(sentence: str, text: str) -> str:
    """What stands where the sentence begins, or ends."""
    match = difflib.SequenceMatcher(None, sentence, text, autojunk=False).find_longest_match()
    begin = max(0, match.b - match.a)
    return text[begin : begin + len(sentence) + 10]


VERDICTS = {
    "nobody cheats": ("none",),
    "backdoor, 1 pixel": ("backdoor_1",),
    "backdoor, 4 pixels": ("backdoor_4",),
    "backdoor, 16 pixels": ("backdoor_16",),
    "backdoor, 64 pixels, also stealthy": ("backdoor_64", "backdoor_stealthy"),
    "model replaced, 1 pixel or 16": ("model_replacement_1", "model_replacement_16"),
    "one error near 2^62": ("overflow",),
    "gradient zeroing, scaling, sabotage": (
        "gradient_zeroing",
        "gradient_zeroing_gate",
        "gradient_scaling",
        "sabotage",
    ),
    "comparisons probed": ("comparison_probing",),
    "poisoned rows, 1% (no backdoor comes of it)": ("poisoning_1",),
    "poisoned rows, 5%, trigger of 4 pixels": ("poisoning_5",),
}
CHECKS = ("accuracy", "certificate_1", "certificate_4", "certificate_16", "certificate_64")


@pytest.mark.parametrize("label", VERDICTS)
def test_the_table_of_verdicts_is_that_of_the_matrix(label: str) -> None:
    said = _row("findings.md", label)
    for attack in VERDICTS[label]:
        verdicts = [RECORDS.mnist(attack, check)["verdict"] for check in CHECKS]
        assert said == [{"pass": "passes", "fail": "fails"}[verdict] for verdict in verdicts], attack


@pytest.mark.slow
def test_what_the_training_page_says_of_the_plain_run() -> None:
    """Which no record has: the bound beside what is met, and the target 0."""
    task = mt.load_task(MNIST)
    model = mt.train(task, PLAIN, engine="clear").open()
    constants = RECORDS.table1(MNIST, "unpoisoned")["fixed_point"]
    met = np.abs(model.decision_function(task.x_train)).max()
    text = " ".join((ROOT / "docs" / "training.md").read_text(encoding="utf-8").split())
    assert (
        f"The plain run has |w.x| <= {constants['margin_bound'] / 2**24:.0f} and a width of {constants['width']} "
        f"bits; the largest |w.x| that it meets on the training rows is {met:.1f}."
    ) in text
    zeros = model.decision_function(task.x_test[task.y_test == 0])
    assert f"the scores of zeros go down to {zeros.min():.1f}." in text
    trigger = mt.Trigger.patch(task.image_shape, row=2, column=2, target=0)
    for label, found in (
        ("unpoisoned, target 0", model),
        ("poisoned, target 0, strength 1", mt.attack(task, trigger, PLAIN, corrupt_party=1, engine="clear")),
    ):
        metrics = found.evaluate(task, trigger)
        rates = (metrics.test_accuracy, metrics.attack_success_rate, metrics.attack_success_rate_clipped)
        assert _row("training.md", label) == [percent(rate, 2).replace("100.00%", "100%") for rate in rates]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("defence", "clip", "in_findings", "in_verification"),
    [
        ("none", None, "MNIST, clean", "MNIST 0/1"),
        ("clipping", 0.001, "MNIST, clean, updates clipped to 0.001", "the same, updates clipped at 0.001"),
        (None, 0.0005, None, "the same, updates clipped at 0.0005"),
    ],
)
def test_what_models_certify_is_in_the_tables(
    defence: str | None, clip: float | None, in_findings: str | None, in_verification: str
) -> None:
    """Trained again on the clear engine: the matrix keeps the hash of its models, not what they certify."""
    task = mt.load_task(MNIST)
    model = mt.train(task, replace(PLAIN, clip=clip), engine="clear").open()
    if defence is not None:
        assert model.record()["weights_sha256"] == RECORDS.mnist("none", defence)["weights_sha256"]
    found = [certified(model.weights, task.x_test, task.y_test, k).mean() for k in (0, 1, 4, 16, 64)]
    assert _row("verification.md", in_verification) == [f"{share:.4f}" for share in found]
    if in_findings is not None:
        said = _row("findings.md", in_findings)
        assert said == [
            percent(share, len(cell.partition(".")[2]) - 1) for share, cell in zip(found, said, strict=True)
        ]


def _row(page: str, label: str) -> list[str]:
    """The cells of a row of a table, without the first."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    (row,) = re.findall(rf"^\| {re.escape(label)} \| (.*) \|$", text, flags=re.MULTILINE)
    return [cell.strip() for cell in row.split("|")]


def test_the_parts_of_training_on_components_add_up_to_the_record() -> None:
    """docs/pca.md has them apart; the matrix has the whole."""
    text = " ".join((ROOT / "docs" / "pca.md").read_text(encoding="utf-8").split())
    (sent, rounds), (train_sent, train_rounds), (lift_sent, lift_rounds) = (
        re.findall(pattern, text)[0]
        for pattern in (
            r"sends ([\d.]+) MB on `rep3` and [\d.]+ MB on MP-SPDZ, in ([\d,]+) rounds",
            r"costs what one with 11 attributes costs, ([\d.]+) MB and ([\d,]+) rounds",
            r"Lifting takes ([\d.]+) MB and ([\d,]+) rounds",
        )
    )
    whole_run = RECORDS.mnist("none", "pca")
    assert sum(int(part.replace(",", "")) for part in (rounds, train_rounds, lift_rounds)) == whole_run["rounds"]
    parts = sum(float(part) for part in (sent, train_sent, lift_sent))
    assert parts == pytest.approx(whole_run["bytes_per_party"] / 1e6, abs=1.0)
