"""The recipes of CONTRIBUTING.md: each is taken from the page, registered as it says, and does what it should."""

from __future__ import annotations

import json
import re
import sys
import types
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import Result

import mpc_tamper as mt
from mpc_tamper import testing
from mpc_tamper.core import bundle
from mpc_tamper.datasets.npz import ARRAYS
from mpc_tamper.defences.base import Defence
from mpc_tamper.engines.mp_spdz import protocols as mp_spdz
from mpc_tamper.models import registry as models
from mpc_tamper.runs import protocols
from mpc_tamper.scenarios.runner import ScenarioRunner
from mpc_tamper.scenarios.scenario import Scenario
from tests.support.images import framed_task
from tests.support.places import ROOT
from tests.support.plugins import install, installed

PAGE = ROOT / "CONTRIBUTING.md"


def blocks(recipe: str) -> list[str]:
    """The code of a recipe, block by block, in the order of the page."""
    return re.findall(
        rf"^```(?:python|ini) recipe={recipe}\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )


@pytest.fixture
def executed(monkeypatch: pytest.MonkeyPatch) -> Any:
    """executed("mpc_tamper.models.means", code): what the code defines, importable by that name until the test ends."""

    def run(name: str, code: str) -> dict[str, Any]:
        module = types.ModuleType(name)
        monkeypatch.setitem(sys.modules, name, module)
        exec(compile(code, f"{PAGE.name}: {name}", "exec"), module.__dict__)
        return module.__dict__

    return run


def registered(line: str, names: dict[str, Any]) -> dict[str, Any]:
    """What a line of a registry adds to it."""
    found: dict[str, Any] = eval("{" + line + "}", names)
    return found


def test_attack(executed: Any, tmp_path: Path) -> None:
    code, line = blocks("attack")
    assert code.count("\n") < 40
    attack = registered(line, executed("mpc_tamper.attacks.bias_shift", code))["bias_shift"]
    scenario = Scenario.plain(framed_task(), mt.SvmParameters(learning_rate=0.04, iterations=3))
    runner = ScenarioRunner(mt.get_engine(mt.EngineName.CLEAR), tmp_path / "clear")
    attempt = attack.prepare(scenario, runner.trial(scenario))
    on_clear = runner.run(scenario, attempt)
    on_rep3 = ScenarioRunner(mt.get_engine(mt.EngineName.REP3), tmp_path / "rep3").run(scenario, attempt)
    assert on_clear.evaluate(attempt).attack_success_rate == 1
    assert np.array_equal(on_rep3.opened.weights, on_clear.opened.weights)


def test_defence(executed: Any, tiny_task: mt.Task, tmp_path: Path) -> None:
    code, line = blocks("defence")
    assert code.count("\n") < 40
    names = executed("mpc_tamper.defences.pooling", code) | {"Defence": Defence}
    scenario = registered(line, names)["pooling"].change(Scenario.plain(tiny_task, mt.SvmParameters(iterations=10)))
    images = np.arange(16)[None]
    assert scenario.features.features(images).tolist() == [[2, 4, 10, 12]]
    assert scenario.features.direction(4 * images[0]).tolist() == [10, 18, 42, 50]
    entered = replace(tiny_task, x_train=scenario.features.features(tiny_task.x_train))
    model = mt.train(entered, scenario.parameters, engine="clear").open()
    assert np.array_equal(model.predict(scenario.features.features(tiny_task.x_test)), tiny_task.y_test)


def test_plugin(executed: Any, tmp_path: Path, invoke: Callable[..., Result]) -> None:
    (code,), (entry_points,), (own_tests,) = (blocks(f"plugin{part}") for part in ("", "-entry-points", "-tests"))
    install(tmp_path, "careful", code, entry_points)
    with installed(tmp_path):
        own = executed("test_careful", own_tests)
        tests = [test for name, test in own.items() if name.startswith("test_")]
        assert len(tests) == 2
        for test in tests:
            test()
        listed = invoke("attack", "--list").stdout
        assert re.search(r"bias_push +linear_svm +careful 1.0", listed)
        task = testing.small_task()
        np.savez(tmp_path / "t.npz", **{name: getattr(task, name) for name in ARRAYS})
        chosen = ("--data", tmp_path / "t.npz", "--engine", "clear", "--iterations", "5", "--json")
        record = json.loads(invoke("attack", "bias_push", *chosen).stdout)
        assert record["attack_success_rate"] == 1
        refused = invoke("train", "--defence", "very_accurate", *chosen[:4], "--run-dir", tmp_path / "run")
        assert "expected a protocol of engine clear" in refused.stderr  # which has no active one


@pytest.mark.parametrize("engine", ["clear", "rep3"])
def test_model(executed: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tiny_task: mt.Task, engine: str) -> None:
    (program,) = blocks("model-program")
    code, line = blocks("model")
    (tmp_path / "means_train.mpc").write_text(program, encoding="utf-8")
    bundled = bundle.program
    monkeypatch.setattr(bundle, "program", lambda name: path if (path := tmp_path / name).exists() else bundled(name))
    executed("mpc_tamper.models.means", code)
    monkeypatch.setattr(models, "MODELS", {**models.MODELS, **registered(line, {"Entry": models.Entry})})

    model = mt.train(tiny_task, model="means", engine=engine, owners=mt.Owners((10, 14))).open()
    x, y = tiny_task.x_train.astype(np.int64), 2 * tiny_task.y_train.astype(np.int64) - 1
    difference = y @ x
    assert model.weights.tolist() == [-int(difference @ x.sum(axis=0)), *(len(x) * difference).tolist()]
    means = [tiny_task.x_train[tiny_task.y_train == label].mean(axis=0) for label in (0, 1)]
    distances = [((tiny_task.x_test - mean) ** 2).sum(axis=1) for mean in means]
    assert np.array_equal(model.predict(tiny_task.x_test), distances[1] < distances[0])
    assert np.array_equal(model.predict(tiny_task.x_test), tiny_task.y_test)


def test_protocol(executed: Any) -> None:
    (name,), (facts,), (settings,) = (blocks(f"protocol-{part}") for part in ("name", "facts", "settings"))
    source = Path(protocols.__file__).read_text(encoding="utf-8")
    last_name, last_facts = '    MAL_REP_FIELD = "mal-rep-field"\n', "ProtocolName.REP_FIELD, ring=False),\n    }\n"
    assert source.count(last_name) == source.count(last_facts) == 1
    source = source.replace(last_name, last_name + name)
    source = source.replace(last_facts, last_facts.replace("    }\n", facts + "    }\n"))
    table = executed("mpc_tamper.runs.protocols", source)
    added = table["ProtocolName"]("sy-shamir")
    assert added.active
    assert (added.basis, added.ring) == ("shamir", False)
    assert {str(protocol) for protocol in table["FACTS"]} == {*map(str, protocols.ProtocolName), "sy-shamir"}
    row = registered(settings, {**vars(mp_spdz), "ProtocolName": table["ProtocolName"]})[added]
    assert (row.binary, row.compile_options) == ("sy-shamir-party.x", ("-F", "64"))
