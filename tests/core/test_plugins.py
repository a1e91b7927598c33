"""Attacks, defences and models of other distributions: found, refused where they are broken or take another's name."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from mpc_tamper.attacks.registry import ATTACKS, BUNDLED, attack_named
from mpc_tamper.core.errors import PluginError
from mpc_tamper.defences.registry import DEFENCES, NETWORK_DEFENCES
from mpc_tamper.models.registry import MODELS, get_model, get_parameters, model_names
from tests.support.plugins import install, installed

ATTACK = """
from mpc_tamper.attacks.sabotage import Sabotage
class Louder(Sabotage):
    pass
"""
DEFENCE = """
from mpc_tamper.defences.base import Defence
from mpc_tamper.defences.accuracy import AccuracyThreshold
strict = Defence(check=AccuracyThreshold(0.999))
"""
MODEL = """
from mpc_tamper.models.linear_svm.model import LinearSvm
class Other(LinearSvm):
    name = "other_svm"
"""


def test_what_others_bring_is_beside_what_is_bundled(tmp_path: Path) -> None:
    install(tmp_path, "loud", ATTACK, "[mpc_tamper.attacks]\nlouder = loud:Louder\n")
    install(tmp_path, "strict", DEFENCE, "[mpc_tamper.defences]\nstrict = strict:strict\n")
    install(tmp_path, "other-models", MODEL, "[mpc_tamper.models]\nother_svm = other_models:Other\n")
    with installed(tmp_path):
        assert list(ATTACKS) == [*BUNDLED, "louder"]
        assert ATTACKS.origin("louder") == "loud 1.0"
        assert attack_named("louder") is ATTACKS["louder"]
        assert DEFENCES["strict"] is NETWORK_DEFENCES["strict"]
        assert DEFENCES["strict"].check.threshold == 0.999  # type: ignore[union-attr]
        assert model_names() == ["linear_svm", "mlp", "other_svm"]
        assert get_model("other_svm") is get_model("other_svm")
        assert get_parameters("other_svm") is get_parameters("linear_svm")
        assert ATTACKS.problems() == DEFENCES.problems() == MODELS.problems() == []
    assert list(ATTACKS) == list(BUNDLED)
    assert "louder" not in ATTACKS


@pytest.mark.parametrize(
    ("code", "place", "said"),
    [
        ("raise RuntimeError('no\\nluck')", "x", "RuntimeError: no luck"),
        ("import nothing_of_the_kind", "x", "ModuleNotFoundError: No module named"),
        ("import sys; sys.exit(3)", "x", "SystemExit: 3"),
        ("x = (", "x", "SyntaxError"),
        ("y = 1", "x", "AttributeError"),
        ("x = 1", "x", "TypeError: a int without additive, needs, prepare"),
    ],
)
def test_a_broken_plug_in_is_one_line_that_names_its_distribution(
    tmp_path: Path, code: str, place: str, said: str
) -> None:
    name = f"broken{abs(hash(code))}"
    install(tmp_path, name, code, f"[mpc_tamper.attacks]\nlouder = {name}:{place}\n")
    with installed(tmp_path):
        assert list(ATTACKS) == list(BUNDLED)
        with pytest.raises(
            PluginError, match=rf"^{name} 1.0: expected attack 'louder' in {name}:x, got {said}"
        ) as found:
            ATTACKS["louder"]
        assert "\n" not in str(found.value)
        assert ATTACKS.problems() == [str(found.value)]


def test_names_that_somebody_has_are_refused(tmp_path: Path) -> None:
    install(tmp_path, "thief", ATTACK, "[mpc_tamper.attacks]\nbackdoor_1 = thief:Louder\n")
    for one in ("first", "second"):
        install(tmp_path, one, ATTACK, f"[mpc_tamper.attacks]\nlouder = {one}:Louder\n")
    with installed(tmp_path):
        assert ATTACKS["backdoor_1"] is BUNDLED["backdoor_1"]
        assert list(ATTACKS) == list(BUNDLED)
        with pytest.raises(
            PluginError, match=r"^first 1.0 and second 1.0: expected a name of its own for attack 'louder'"
        ):
            attack_named("louder")
        assert [line.split(":")[0] for line in ATTACKS.problems()] == ["thief 1.0", "first 1.0 and second 1.0"]


def test_the_list_of_attacks_says_what_is_no_use(tmp_path: Path, invoke: Callable[..., Result]) -> None:
    install(tmp_path, "thief", ATTACK, "[mpc_tamper.attacks]\nbackdoor_1 = thief:Louder\nlouder = thief:Louder\n")
    with installed(tmp_path):
        result = invoke("attack", "--list")
    assert result.exit_code == 0
    assert "louder" in result.stdout
    assert "thief 1.0: expected a name of its own" in result.stderr


def test_help_is_there_beside_a_broken_model(tmp_path: Path) -> None:
    install(tmp_path, "broken-model", "1 / 0", "[mpc_tamper.models]\nworse = broken_model:Model\n")
    environment = os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    command = [sys.executable, "-m", "mpc_tamper.cli.main", "train", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=240)
    assert done.returncode == 0
    assert "--learning-rate" in done.stdout
    assert done.stderr.count("\n") == 1
    assert "broken-model 1.0: expected model 'worse'" in done.stderr
