"""Whatever the number of threads, kernels and pads give the same, bit for bit, and runs send the same messages."""

from __future__ import annotations

import gc
import importlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mpc_tamper.core import bundle
from mpc_tamper.core.errors import ParameterError
from mpc_tamper.engines.clear.engine import ClearEngine
from mpc_tamper.engines.frontend.program import load_program, run_program
from mpc_tamper.engines.inputs import OwnerInput
from mpc_tamper.engines.kernels import MATMUL
from mpc_tamper.engines.kernels.threads import SetAside, all_cores, on_threads, ranges, together
from mpc_tamper.engines.rep3 import kernels
from mpc_tamper.engines.rep3.engine import Rep3Engine
from mpc_tamper.engines.rep3.in_process import run_in_threads
from mpc_tamper.engines.rep3.machine import Rep3Machine
from mpc_tamper.engines.rep3.protocol import passive, prss
from mpc_tamper.engines.rep3.protocol.context import Party
from mpc_tamper.engines.rep3.protocol.inputs import share_input
from mpc_tamper.runs.spec import MAX_THREADS, InputFiles, RunSpec

COUNTS = [2, 3]
bit_ops, lanes, binary_field, subsets, ring_128, gate_sums, gate_rows = (
    importlib.import_module(f"{kernels.__name__}.{name}")
    for name in ("bit_ops", "lanes", "binary_field", "subsets", "ring_128", "gate_sums", "gate_rows")
)
RNG = np.random.default_rng(0)
N = 1000


def words(*shape: int) -> np.ndarray:
    return RNG.integers(0, 2**64, shape, np.uint64)


@pytest.fixture
def always_worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads share work however little of it there is."""
    modules = [importlib.import_module(MATMUL), bit_ops, lanes, binary_field, subsets, ring_128, prss]
    modules += [gate_sums, gate_rows]
    for module in modules:
        for name in vars(module):
            if name.startswith("_WORTH"):
                monkeypatch.setattr(module, name, 1)


def into(function: Callable[..., None], *arguments: Any, shape: tuple[int, ...]) -> Callable[[], np.ndarray]:
    """A kernel whose last argument is what it writes or adds to."""

    def call() -> np.ndarray:
        out = np.arange(np.prod(shape), dtype=np.uint64).reshape(shape)
        function(*arguments, out)
        return out

    return call


def cases() -> dict[str, Callable[[], np.ndarray]]:
    members, many = words(N) >> np.uint64(16), words(1600) >> np.uint64(16)
    x, weights = words(N, 70), words(-(-N // 64))
    u, v = words(N), words(N)
    coefficients = words(64)
    t, planes = lanes.tables(coefficients), words(5, 40)
    rows, which = words(8, 700), RNG.integers(0, 25, (2, 5))
    pairs, of_gates, rho, beta = [(u, v), (v, u + v), (u, u)], words(N), words(48, 2), words(4, 2)
    long_pairs = [(words(3 * N), words(3 * N))]

    def sums_of_gates(pairs: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
        products, sums = np.ones((48, 2), np.uint64), np.ones((2, 48), np.uint64)
        gate_sums.add_gates(of_gates, pairs, (u, v), products, sums)
        return np.concatenate([products.reshape(-1), sums.reshape(-1)])

    def folds_of_gates(out: np.ndarray) -> None:
        gate_rows.fold(gate_rows.tables_of_rows(rho, beta), of_gates, [(v, out[0]), (u, out[1])])

    return {
        "add_gates": lambda: sums_of_gates(pairs),
        "add_gates, without products": lambda: sums_of_gates([]),
        "add_gates, of dot products": lambda: sums_of_gates(long_pairs),
        "add_row_products": into(
            gate_rows.add_row_products, gate_rows.tables_of(rho), of_gates, pairs, shape=(4, 4, 2)
        ),
        "fold": into(folds_of_gates, shape=(2, N // 4, 2)),
        "combine_words": into(ring_128.combine_words, beta, words(4, N), shape=(N, 2)),
        "combine_weighed": into(lanes.combine_weighed, coefficients[:8], words(88), words(8, 704), shape=(704,)),
        "weighed_pair_sums": lambda: lanes.weighed_pair_sums(
            rows[:, :640].copy(), words_of(coefficients, 1)[:40, 0], rows[:, :640].copy()
        ),
        "to_planes": lambda: bit_ops.to_planes(u, 37),
        "planes_at": into(bit_ops.planes_at, u, np.arange(36, -1, -1), shape=(40, -(-N // 64))),
        "and_shares": lambda: bit_ops.and_shares(
            (planes, planes + planes), u.reshape(25, 40), v.reshape(25, 40), *which
        ),
        "majority_shares": lambda: bit_ops.majority_shares((planes, planes + planes), planes * u[0], planes * u[1]),
        "sums_of_rows, few": lambda: subsets.sums_of_rows(members, x),
        "sums_of_rows, many": lambda: subsets.sums_of_rows(many, words_of(many, 70)),
        "sums_of_columns": lambda: subsets.sums_of_columns(members[:70], x),
        "fold_words": into(ring_128.fold_words, words(16, 2), u, shape=(-(-N // 16), 2)),
        "row_products": lambda: ring_128.row_products(x[:9].reshape(9, 35, 2), x[9:18].reshape(9, 35, 2)),
        "lanes.pair_sums": lambda: lanes.pair_sums(u, v, v, u, weights),
        "lanes.pair_sums of one": lambda: lanes.pair_sums(u, v, u[:0], u[:0], weights),
        "combine_lanes": into(lanes.combine_lanes, t, u, shape=(N,)),
        "weigh_lanes": into(lanes.weigh_lanes, weights, shape=(N,)),
        "weighted_sum": lambda: lanes.weighted_sum(coefficients, weights, u),
        "binary_field.pair_sums": lambda: binary_field.pair_sums(rows, rows[::-1].copy()),
        "binary_field.combine": lambda: binary_field.combine(words_of(rows[0], 1)[:8, 0], rows),
    }


def words_of(seed: np.ndarray, columns: int) -> np.ndarray:
    return np.outer(seed, np.arange(1, 2 * columns, 2).astype(np.uint64))


CASES = cases()
CASES_SEED = words(N)


@pytest.mark.parametrize("name", CASES)
def test_every_kernel(name: str, always_worth_it: None) -> None:
    with on_threads(1):
        want = CASES[name]()
    for count in COUNTS:
        with on_threads(count):
            assert np.array_equal(CASES[name](), want)


def test_pads(always_worth_it: None) -> None:
    """Of small draws and large ones, which begin at any word."""
    draws = [1, 40_001, 3, 2**14, 50_000, 17, 40_000]

    def stream() -> list[np.ndarray]:
        made = prss.Stream(bytes(32), prss.Purpose.ZERO)
        return [made.draw(count) for count in draws]

    with on_threads(1):
        want = stream()
    for count in COUNTS:
        with on_threads(count):
            assert all(np.array_equal(a, b) for a, b in zip(stream(), want, strict=True))


@pytest.mark.parametrize("active", [False, True])
def test_a_training_sends_the_same_messages(active: bool, tmp_path: Path, always_worth_it: None) -> None:
    """What each party receives, proofs included, and the weights."""
    program = load_program(bundle.program("svm_train.mpc"))
    rng = np.random.default_rng(1)
    args = [
        "rows=90",
        "columns=20",
        "labels=owner",
        "loss=hinge",
        "epochs=2",
        "batch=90",
        "gain=1",
        "decay=1",
        "shift=12",
        "width=40",
    ]
    rng.integers(-255, 256, (90, 20)).astype("<i8").tofile(tmp_path / "rows.bin")

    def compute(party: Party) -> list[tuple[int, str, bytes]]:
        received = party.channel.record_received()
        inputs = OwnerInput(party.party_id, InputFiles(binary=tmp_path / "rows.bin") if party.party_id == 0 else None)
        run_program(program, tuple(args), Rep3Machine(party, inputs, folder, lambda text: None))
        return received

    found = []
    for count in (1, *COUNTS):
        folder = tmp_path / str(count)
        with on_threads(count):
            messages = run_in_threads(compute, insecure_keys=[bytes([i]) * 32 for i in range(3)], active=active)
        shares = [path.read_bytes() for path in sorted((folder / "Persistence").iterdir())]
        found.append((messages, shares))
    assert found[0][0][0]
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("columns", [3, 60])
def test_products_of_matrices_send_the_same_messages(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a private input and of what is shared, whole and in pieces; fewer than 48 columns, and more."""
    kernel = importlib.import_module(f"{kernels.__name__}.matrices")

    def compute(party: Party) -> list[tuple[int, str, bytes]]:
        received = party.channel.record_received()
        values = iter([words_of(CASES_SEED[:9], 30), words_of(CASES_SEED[:30], columns)])
        x, y = (
            share_input(party, 1, shape, lambda count: next(values).reshape(-1)) for shape in ((9, 30), (30, columns))
        )
        z = passive.matmul(party, x, y)
        passive.trans_matmul(party, z, z)
        party.recorder.prove()
        return received

    found = []
    for count, least in ((1, kernel._COLUMNS), (1, 2), (2, 2), (3, 7)):
        monkeypatch.setattr(kernel, "_ENTRIES", 1)
        monkeypatch.setattr(kernel, "_COLUMNS", least)
        with on_threads(count):
            found.append(run_in_threads(compute, insecure_keys=[bytes([i]) * 32 for i in range(3)], active=True))
    assert any(tag.startswith("proof/level") for _, tag, _ in found[0][0])
    assert all(messages == found[0] for messages in found[1:])


def test_work_is_split_without_gaps() -> None:
    with on_threads(3):
        assert ranges(10, 100) == [(0, 3), (3, 6), (6, 10)]
        assert ranges(10, 2) == [(0, 5), (5, 10)]
        assert ranges(3, 0) == [(0, 3)]
        assert ranges(2, 100) == [(0, 1), (1, 2)]
        assert ranges(0, 100) == [(0, 0)]


def test_an_error_in_a_thread_comes_out_when_all_have_ended() -> None:
    ended = []

    def fail(number: int) -> None:
        if number == 0:
            raise MemoryError("no room")
        ended.append(number)

    with on_threads(3), pytest.raises(MemoryError, match="no room"):
        together(fail, [(0,), (1,), (2,)])
    assert sorted(ended) == [1, 2]


def test_a_fork_has_threads_of_its_own() -> None:
    made: list[int] = []
    with on_threads(2):
        together(made.append, [(1,), (2,)])
        child = os.fork()
        if child == 0:
            together(made.append, [(3,), (4,)])
            os._exit(0 if sorted(made) == [1, 2, 3, 4] else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.parametrize("threads", [0, -1, MAX_THREADS + 1])
def test_a_bad_number_is_refused_before_anything_starts(threads: int, tmp_path: Path) -> None:
    (tmp_path / "x.mpc").write_text("x = 1\n")
    for engine in (Rep3Engine(), ClearEngine(), Rep3Engine().on_threads(threads)):
        spec = RunSpec(tmp_path / "x.mpc", run_dir=tmp_path / "run", threads=engine.threads or threads)
        with pytest.raises(ParameterError, match=f"expected from 1 to {MAX_THREADS} threads for each party, got"):
            engine.run(spec)
    assert not (tmp_path / "run").exists()


def test_the_default_is_one_of_three_parties_here_and_all_cores_of_a_host_of_its_own() -> None:
    spec = RunSpec(Path("x.mpc"))
    assert Rep3Engine().with_threads(spec, otherwise=1).threads == 1
    assert Rep3Engine().on_threads(5).with_threads(spec, otherwise=1).threads == 5
    assert Rep3Engine().on_threads(None).with_threads(spec, otherwise=all_cores()).threads == all_cores()
    assert Rep3Engine().on_threads(5).seeded(3).threads == 5


def test_a_party_is_told_how_many(tmp_path: Path) -> None:
    (tmp_path / "x.mpc").write_text("x = sint.Matrix(2, 2)\nx.assign_all(3)\nprint_ln('%s', x.dot(x)[0][1].reveal())\n")
    run = Rep3Engine().on_threads(2).run(RunSpec(tmp_path / "x.mpc", run_dir=tmp_path / "run"))
    assert run.lines == ("18",)
    told = [json.loads((tmp_path / "run" / "parties" / f"party{i}.json").read_text()) for i in range(3)]
    assert [each["threads"] for each in told] == [2, 2, 2]


def test_threads_that_are_set_aside_take_no_part_until_they_are_back() -> None:
    def parts() -> int:
        return len(ranges(100, 100))

    gc.collect()  # of runs that ended with a batch under way
    with on_threads(3):
        one, other = SetAside(), SetAside()
        assert parts() == 1
        one.back()
        one.back()
        assert parts() == 2
        third = SetAside()
        fourth = SetAside()
        assert parts() == 1  # never none
        third.back()
        fourth.back()
        del other  # as where a run ends
        gc.collect()
        assert parts() == 3


def test_where_no_thread_can_be_started_it_is_computed_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    aside = SetAside()
    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert aside.compute(pow, 2, 5).result() == 32
    assert isinstance(aside.compute(int, "x").exception(), ValueError)
    monkeypatch.undo()
    aside.back()


def test_where_no_thread_can_be_started_pads_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of each stream, and of what comes after them: nothing is made twice, or later."""

    def refuse(thread: threading.Thread) -> None:
        refused.append(thread.name)
        raise RuntimeError("can't start new thread")

    refused: list[str] = []
    sizes = [2 * prss._WORTH, 3, 3 * prss._WORTH + 1, 5]
    want = prss.Stream(bytes(32), prss.Purpose.ZERO).draw(sum(sizes))
    stream = prss.Stream(bytes(32), prss.Purpose.ZERO)
    with on_threads(3):
        monkeypatch.setattr(threading.Thread, "start", refuse)
        drawn = [stream.draw(size) for size in sizes[:3]]
        monkeypatch.undo()
        drawn.append(stream.draw(sizes[3]))
    assert np.array_equal(np.concatenate(drawn), want)
    assert set(refused) == {"pads"}


def test_what_is_set_aside_leaves_signals_to_the_program() -> None:
    aside = SetAside()
    blocked = aside.compute(signal.pthread_sigmask, signal.SIG_BLOCK, ()).result()
    aside.back()
    assert blocked >= {signal.SIGINT, signal.SIGTERM}
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_a_process_ends_though_what_is_set_aside_does_not() -> None:
    program = "import threading\nfrom mpc_tamper.engines.kernels.threads import SetAside\n"
    program += "SetAside().compute(threading.Event().wait)\nprint('the end')\n"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stdout, done.stderr) == (0, "the end\n", "")
