"""Each server counts each client's queries about a model, over sessions, copies and restarts."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from mpc_tamper.clients.serve import serve
from mpc_tamper.core import bundle
from mpc_tamper.core.errors import ParameterError, PartyError, UsageError
from mpc_tamper.datasets import Task
from mpc_tamper.engines import share_files
from mpc_tamper.engines.registry import get_engine
from mpc_tamper.engines.rep3.clients.budget import QueryBudget
from mpc_tamper.models.linear_svm.parameters import SvmParameters
from mpc_tamper.runs.protocols import PARTIES, EngineName
from mpc_tamper.workflows.training import train
from tests.support.clients_in_memory import Servers, serving
from tests.support.in_memory import InMemoryRep3

QUERY = bundle.program("svm_query.mpc")
ALICE, BOB = (b"alice",) * 3, (b"bob",) * 3


@pytest.fixture
def shares(tmp_path: Path, tiny_task: Task, state: Path) -> Path:
    train(tiny_task, SvmParameters(iterations=5), engine=InMemoryRep3(), run_dir=tmp_path / "train")
    return tmp_path / "train"


def arguments(queries: int) -> tuple[str, ...]:
    return ("columns=17", "answer=class", "port=15000", f"queries={queries}")


def ask(servers: Servers, certificates: tuple[bytes, bytes, bytes] = (b"", b"", b"")) -> None:
    client = servers.connect(certificates=certificates)
    try:
        client.wait_for_turn()
        client.send_private_inputs(np.zeros(16, np.int64))
        client.receive_outputs(4)
    finally:
        client.close()


def test_each_client_has_its_own_budget_and_anonymous_ones_share_one(shares: Path, run_dir: Path) -> None:
    with serving(QUERY, arguments(5), shares, run_dir, budget=2) as servers:
        for certificates in (ALICE, ALICE, BOB):
            ask(servers, certificates)
        with pytest.raises(PartyError, match=r"limited number of queries of each client .* spent"):
            ask(servers, ALICE)
        for _ in range(2):
            ask(servers)


def test_a_budget_outlives_sessions_and_copies(shares: Path, tmp_path: Path) -> None:
    with serving(QUERY, arguments(2), shares, tmp_path / "first", budget=2) as servers:
        ask(servers, ALICE)
        ask(servers, ALICE)
    shutil.copytree(shares / "Persistence", tmp_path / "copy" / "Persistence")
    with serving(QUERY, arguments(1), tmp_path / "copy", tmp_path / "second", budget=2) as servers:
        with pytest.raises(PartyError, match="spent"):
            ask(servers, ALICE)
        ask(servers, BOB)
    with serving(QUERY, arguments(1), shares, tmp_path / "third", budget=3) as servers:
        ask(servers, ALICE)


@pytest.mark.parametrize("party", range(PARTIES))
def test_one_server_that_has_counted_enough_is_enough(shares: Path, run_dir: Path, party: int) -> None:
    """The other two may be another's, or have lost their counts."""
    assert QueryBudget(share_files.share_file(shares, party), 1).may_ask(b"alice")
    with serving(QUERY, arguments(1), shares, run_dir, budget=1) as servers:
        with pytest.raises(PartyError, match="spent"):
            ask(servers, ALICE)
        ask(servers, BOB)


def test_without_a_place_for_the_count_nobody_is_served(
    shares: Path, run_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MPC_TAMPER_STATE", str(tmp_path / "file"))
    with (
        pytest.raises(UsageError, match="queries can be counted"),
        serving(QUERY, arguments(1), shares, run_dir, budget=1),
    ):
        pass


@pytest.mark.parametrize("budget", [0, -1])
def test_budgets_that_allow_nothing_are_refused(shares: Path, tmp_path: Path, budget: int) -> None:
    with pytest.raises(ParameterError, match="a budget of at least one query"):
        serve(shares, engine=get_engine(EngineName.REP3), run_dir=tmp_path / "run", port_base=15000, budget=budget)
