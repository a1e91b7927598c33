"""Kernels are loaded by the runs that use them, compiled once, and cached wherever something can be written."""

from __future__ import annotations

import errno
import json
import os
import shutil
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import mpc_tamper
from mpc_tamper.core import bundle
from mpc_tamper.core.errors import EngineUnavailable
from mpc_tamper.engines import kernels as shared_kernels
from mpc_tamper.engines.hosts import Address, Host
from mpc_tamper.engines.kernels import compilation
from mpc_tamper.engines.rep3 import kernels, single_party
from mpc_tamper.engines.rep3.engine import Rep3Engine
from mpc_tamper.runs.protocols import ProtocolName
from mpc_tamper.runs.spec import RunSpec

PACKAGE = Path(mpc_tamper.__path__[0])
RING, ACTIVE = ProtocolName.RING, ProtocolName.MAL_REP_RING
# Loads one module of kernels and prints how many were compiled here, loaded from a cache, and where that is.
LOAD = """
import json, sys
from mpc_tamper.engines.rep3 import kernels
kernels.load(["bit_ops"])
from mpc_tamper.engines.kernels import compilation
from mpc_tamper.engines.rep3.kernels import bit_ops
assert bit_ops.twice(21) == 42
stats = bit_ops.twice.stats
print(json.dumps([sum(stats.cache_misses.values()), sum(stats.cache_hits.values()), str(compilation.cache_folder())]))
"""


@pytest.mark.parametrize(
    ("source", "protocol", "names"),
    [
        ("print_ln('%s', sint(3).reveal())", RING, []),
        ("print_ln('%s', sint(3).reveal())", ACTIVE, []),
        ("print_ln('%s', (sint(3) * sint(4)).reveal())", RING, []),
        (
            "print_ln('%s', (sint(3) * sint(4)).reveal())",
            ACTIVE,
            ["recording", "ring_128", "gate_sums", "gate_rows"],
        ),
        ("x = sint.Matrix(2, 2)\ny = x.dot(x)", RING, ["matmul"]),
        (
            "x = sint.Matrix(2, 2)\ny = x.dot(x)",
            ACTIVE,
            ["matmul", "recording", "ring_128", "gate_sums", "gate_rows", "subsets", "matrices"],
        ),
        ("x = sint(3) < 4", RING, ["bit_ops"]),
        (
            "x = sfix(3) * sfix(4)",
            ACTIVE,
            ["bit_ops", "recording", "lanes", "binary_field", "ring_128", "gate_sums", "gate_rows"],
        ),
    ],
)
def test_what_a_program_is_going_to_use_is_foreseen(source: str, protocol: ProtocolName, names: list[str]) -> None:
    assert kernels.foreseen(source, protocol) == names


@pytest.mark.parametrize("protocol", [RING, ACTIVE])
def test_nothing_that_training_uses_is_missed(protocol: ProtocolName) -> None:
    source = bundle.program("svm_train.mpc").read_text()
    expected = {"matmul", "bit_ops"}
    if protocol == ACTIVE:
        expected |= {"recording", "lanes", "binary_field", "ring_128", "gate_sums", "gate_rows", "subsets", "matrices"}
    assert set(kernels.foreseen(source, protocol)) == expected


def loaded_after(source: str, folder: Path, protocol: ProtocolName) -> dict[str, list[str] | bool]:
    """What is loaded in a process that runs this program, and in its parties."""
    folder.mkdir()
    (folder / "program.mpc").write_text("import json, sys\n" + source + "\npath = program.args[1]\n" + TOLD)
    code = (
        "import sys; from pathlib import Path; from mpc_tamper.engines.registry import get_engine; "
        "from mpc_tamper.runs.spec import RunSpec; from mpc_tamper.runs.protocols import EngineName, ProtocolName; "
        "get_engine(EngineName.REP3).run(RunSpec(Path('program.mpc'), args=('told',), run_dir=Path('run'), "
        "protocol=ProtocolName(sys.argv[1]))); assert 'numba' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, protocol], cwd=folder, check=True, timeout=240)
    report = json.loads((folder / "run" / "party2.json").read_text())
    return {"kernels": report["kernels"], "numba": json.loads((folder / "told").read_text())}


TOLD = "open(path, 'w').write(json.dumps('numba' in sys.modules))\n"


@pytest.mark.parametrize("protocol", [RING, ACTIVE])
def test_a_program_without_products_does_without_numba(tmp_path: Path, protocol: ProtocolName) -> None:
    told = loaded_after("print_ln('%s', (sint(3) + sint(4)).reveal())", tmp_path / "run", protocol)
    assert told == {"kernels": [], "numba": False}


def test_a_passive_run_does_without_the_kernels_of_proofs(tmp_path: Path) -> None:
    source = "x = sint.Matrix(2, 2)\nx.assign_all(3)\nprint_ln('%s', x.dot(x)[0][1].greater_than(2, 8).reveal())"
    told = loaded_after(source, tmp_path / "run", RING)
    assert told == {"kernels": ["matmul", "bit_ops"], "numba": True}


def test_kernels_that_were_not_foreseen_are_loaded_all_the_same(tmp_path: Path) -> None:
    program = tmp_path / "program.mpc"
    program.write_text("print_ln('%s', getattr(sint(3), 'greater' + '_than')(2, 8).reveal())\n")
    assert kernels.foreseen(program.read_text(), RING) == []
    assert Rep3Engine().run(RunSpec(program, run_dir=tmp_path / "run")).lines == ("1",)


def test_a_party_on_a_host_of_its_own_says_what_it_compiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kernels.load(["clmul"])  # so that no other test has to have done it
    said: list[str] = []
    monkeypatch.setattr(shared_kernels, "compile_missing", lambda modules, say: [say(each) for each in modules])
    addresses = tuple(Address("127.0.0.1", port) for port in (1, 2, 3))
    host = Host(0, addresses, tmp_path, (tmp_path,) * 3, say=said.append)
    single_party._load_kernels(["clmul"], host)
    assert said == ["compiling the kernels mpc_tamper.engines.rep3.kernels.clmul, once for all runs"]
    single_party._load_kernels(["clmul"], replace(host, say=None))


# In place of a module of kernels, as a large one takes many seconds to compile; and a line of a file for each process
# that compiles it.
MODULE = """
from numba import types
from mpc_tamper.engines.kernels.compilation import kernel

@kernel(types.uint64(types.uint64))
def twice(x):
    return x + x

if twice.stats.cache_misses:
    with open({path!r}, "a") as file:
        file.write("compiled\\n")
"""
COMPILED = "compiled"


def compilations(installation: Path) -> int:
    return len((installation.parent / COMPILED).read_text().splitlines())


@pytest.fixture
def read_only(tmp_path: Path) -> Path:
    """An installation without compiled kernels, to which none can be added: a file stands where they would go, which
    stops root too."""
    copy = tmp_path / "installation" / "mpc_tamper"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    for kernels_of in (copy / "engines", copy / "engines" / "rep3"):
        (kernels_of / "kernels" / "__pycache__").write_text("")
    (copy / "engines" / "rep3" / "kernels" / "bit_ops.py").write_text(MODULE.format(path=str(tmp_path / COMPILED)))
    return copy.parent


def load(installation: Path, **variables: str) -> subprocess.Popen[str]:
    usual = {k: v for k, v in os.environ.items() if k not in ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME", "TMPDIR")}
    environment = {**usual, "PYTHONPATH": str(installation), **variables}
    return subprocess.Popen(
        [sys.executable, "-c", LOAD], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def outcome(process: subprocess.Popen[str]) -> tuple[int, int, str]:
    output, error = process.communicate(timeout=240)
    assert error == ""
    compiled, cached, folder = json.loads(output)
    return compiled, cached, folder


@pytest.mark.slow
def test_processes_that_need_the_same_kernels_compile_them_once(read_only: Path, tmp_path: Path) -> None:
    """None of them, but a process that one of them starts. They are kept below the user's cache folder, as the
    installation cannot be written; a later process compiles nothing."""
    processes = [load(read_only, HOME=str(tmp_path)) for _ in range(3)]
    folder = str(tmp_path / ".cache" / "mpc-tamper")
    assert [outcome(process) for process in processes] == [(0, 1, folder)] * 3
    assert outcome(load(read_only, HOME=str(tmp_path))) == (0, 1, folder)
    assert compilations(read_only) == 1


@pytest.mark.slow
def test_a_change_in_any_file_of_kernels_compiles_them_anew(read_only: Path, tmp_path: Path) -> None:
    """A kernel may have parts from other files. What was compiled of the former sources is dropped; of another
    installation it stays."""
    other = tmp_path / ".cache" / "mpc-tamper" / "kernels-of-another"
    other.mkdir(parents=True)
    for _ in range(2):
        assert outcome(load(read_only, HOME=str(tmp_path)))[:2] == (0, 1)
        assert compilations(read_only) == 1
    changed = read_only / "mpc_tamper" / "engines" / "kernels" / "tiles.py"
    changed.write_text(changed.read_text() + "\n# changed\n")
    assert outcome(load(read_only, HOME=str(tmp_path)))[:2] == (0, 1)
    assert compilations(read_only) == 2
    assert other.exists()
    assert len(list(other.parent.iterdir())) == 2


def test_without_a_home_kernels_are_kept_in_a_private_temporary_folder(read_only: Path, tmp_path: Path) -> None:
    (tmp_path / "no folder").write_text("")
    folder = tmp_path / f"mpc-tamper-{os.getuid()}"
    variables = {"HOME": str(tmp_path / "no folder"), "TMPDIR": str(tmp_path)}
    assert outcome(load(read_only, **variables)) == (0, 1, str(folder))
    assert compilations(read_only) == 1
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_where_nothing_can_be_written_kernels_are_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(compilation, "_BESIDE", tmp_path / "file")
    monkeypatch.setenv("HOME", str(tmp_path / "file"))
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(compilation.tempfile, "gettempdir", lambda: str(tmp_path / "file"))
    assert compilation.cache_folder.__wrapped__() is None


def test_a_temporary_folder_that_others_can_write_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What lies in it would be run."""
    (tmp_path / f"mpc-tamper-{os.getuid()}").mkdir()
    (tmp_path / f"mpc-tamper-{os.getuid()}").chmod(0o777)
    monkeypatch.setattr(compilation.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setenv("HOME", "/none")
    assert not [place for place in compilation._elsewhere() if tmp_path in place.parents]


def test_the_users_own_cache_folder_for_numba_is_kept_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "numba"))
    assert compilation.cache_folder.__wrapped__() == tmp_path / "numba"


@pytest.mark.parametrize(("refused", "way_out"), [(errno.ENOSPC, "NUMBA_CACHE_DIR"), (errno.ENOMEM, "some memory")])
def test_what_the_system_has_too_little_of_is_said(
    refused: int, way_out: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk, where kernels cannot be kept, names the folder."""
    (tmp_path / "refused.py").write_text(f"import os\nraise OSError({refused}, os.strerror({refused}))")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(EngineUnavailable) as caught:
        shared_kernels.WhenUsed("refused").anything  # noqa: B018
    assert "the compiled kernels refused, got: " in str(caught.value)
    assert os.strerror(refused) in str(caught.value)
    assert way_out in str(caught.value)
    assert (str(compilation.cache_folder()) in str(caught.value)) == (refused == errno.ENOSPC)
