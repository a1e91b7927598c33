"""Sizes, ratios and the report of the costs, on figures made up for it."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from mpc_tamper.core.errors import DataError, ParameterError
from mpc_tamper.engines.clear.engine import ClearEngine
from mpc_tamper.report.costs import FILES, tables, write_report
from mpc_tamper.runs.network import LAN, WAN
from mpc_tamper.runs.protocols import EngineName, ProtocolName
from mpc_tamper.studies.costs.costs import _ratios, costs
from mpc_tamper.studies.costs.measure import GRIDS, Grid, Measured

TRAIN = Measured(EngineName.REP3, ProtocolName.RING, "train", 1000, 785, 100, None, 2.0, 1_000_000, 2200, 2000, 3)
ACTIVE = replace(TRAIN, protocol=ProtocolName.MAL_REP_RING, seconds=5.0, bytes_per_party=1_500_000)
VERIFY = Measured(
    EngineName.REP3, ProtocolName.MAL_REP_RING, "verify", 200, 785, None, "public", 0.5, 500_000, 30, 20, 3
)


def record(measured: list[Measured], checks: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "dataset": "mnist_0_1",
        "columns": 785,
        "model": "rounds * latency + bytes / rate + seconds",
        "networks": [asdict(LAN), asdict(WAN)],
        "runs": [m.record() for m in measured],
        "ratios": list(_ratios(measured)),
        "checks": checks,
        "environment": {"cpu": "a", "machine": "m", "cores": 2, "os": "b", "python": "3", "numpy": "2", "commit": None},
    }


def check(network: str) -> dict[str, Any]:
    run = {key: value for key, value in TRAIN.record().items() if key in ("engine", "protocol", "phase", "rows")}
    seconds = {"predicted_seconds": 2.0, "measured_seconds": 2.2, "measured_over_predicted": 1.1}
    return run | {"iterations": 5, "examples": None, "active": False, "network": network} | seconds


def test_sizes_vary_one_thing_at_a_time() -> None:
    assert Grid(rows=(10, 20), iterations=(1, 3), examples=5).sizes() == [(10, 3), (20, 1), (20, 3)]


@pytest.mark.parametrize("bad", [{"rows": (0,)}, {"iterations": (-1,)}, {"examples": 0}])
def test_sizes_below_one_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ParameterError, match="from 1"):
        replace(GRIDS[EngineName.REP3][0], **bad)


def test_the_oracle_has_no_price(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="got clear"):
        costs([ClearEngine()], tmp_path)


def test_predictions_use_the_rounds_in_which_all_wait() -> None:
    assert TRAIN.on(WAN) == pytest.approx(2.0 + 2000 * 0.04 + 8e6 / 1e8)
    assert TRAIN.record()["predicted_seconds"]["WAN"] == TRAIN.on(WAN)


def test_ratios() -> None:
    (ratio,) = _ratios([TRAIN, ACTIVE, VERIFY, replace(VERIFY, rows=50, seconds=0.1)])
    assert (ratio["rows"], ratio["iterations"], ratio["examples"]) == (1000, 100, {"public": 200})
    assert ratio["active_over_passive"]["seconds"] == pytest.approx(2.5)
    assert ratio["active_over_passive"]["bytes"] == pytest.approx(1.5)
    verified = ratio["verified_over_active"]["public"]
    assert verified["seconds"] == pytest.approx((2.0 + 0.5) / 5.0)
    assert verified["bytes"] == pytest.approx(1.0)
    assert verified["WAN"] == pytest.approx((TRAIN.on(WAN) + VERIFY.on(WAN)) / ACTIVE.on(WAN))


def test_no_ratio_without_both_trainings_of_one_size() -> None:
    assert list(_ratios([TRAIN, VERIFY])) == []
    assert list(_ratios([ACTIVE, VERIFY, replace(TRAIN, rows=999)])) == []


@pytest.mark.parametrize(
    ("measured", "checks"),
    [([TRAIN], []), ([TRAIN, ACTIVE, VERIFY], [check("LAN"), check("WAN")]), ([ACTIVE], [check("LAN")])],
    ids=["passive alone", "all", "active alone"],
)
def test_the_report(tmp_path: Path, measured: list[Measured], checks: list[dict[str, Any]]) -> None:
    (tmp_path / "costs.json").write_text(json.dumps(record(measured, checks)))
    write_report(tmp_path)
    assert all((tmp_path / name).stat().st_size > 0 for name in FILES)
    assert (tmp_path / "costs.png").read_bytes().startswith(b"\x89PNG")


def test_the_table_says_what_was_run_and_at_which_size() -> None:
    text = tables(record([TRAIN, ACTIVE, VERIFY], [check("WAN")]))
    assert "| rep3 | ring | passive | training, 1,000 rows, T = 100 | 2 | 1.00 | 2,000 |" in text
    assert "| rep3 | mal-rep-ring | active | verification, 200 public examples | 0.5 |" in text
    assert "| rep3 | mal-rep-ring | 1,000 | 100 | 200 | 2.50 | 1.50 |" in text
    assert "| rep3 | ring | training, 1,000 rows, T = 5 | WAN | 2 | 2.2 | 1.10 |" in text
    assert "40 ms one way" in text


def test_without_an_active_protocol_the_table_says_so() -> None:
    assert "no engine of this run has an active protocol" in tables(record([TRAIN], [])).lower()


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"runs": []}'])
def test_foreign_records_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "costs.json").write_text(text)
    with pytest.raises(DataError):
        write_report(tmp_path)
