"""The folder that MP-SPDZ's parties run in: names, certificates, plans, share files."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import stat
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from cryptography import x509

from mpc_tamper.core.errors import PeerTimeout, PlanError, PortInUse, ShareFileError, UsageError
from mpc_tamper.engines.mp_spdz import additive_plan, run_folder
from mpc_tamper.engines.mp_spdz.certificates import install_certificates, make_certificate, subject_hash
from mpc_tamper.engines.mp_spdz.parties import PartyCommand, run_parties, run_while_alive
from mpc_tamper.runs.plan import AdditiveErrorPlan
from mpc_tamper.runs.spec import InputFiles
from tests.support.ports import free_ports

HEADER = (20).to_bytes(8, "little") + b"replicated Z2^64" + (64).to_bytes(4, "little")


def test_subject_hashes_are_openssls() -> None:
    """As `openssl x509 -subject_hash` gave them."""
    assert [subject_hash(f"P{i}") for i in range(3)] == ["690ad341", "0c19e31f", "786af600"]


def test_certificates(tmp_path: Path) -> None:
    run_folder.write_certificates(tmp_path)
    folder = tmp_path / "Player-Data"
    for party_id in range(3):
        certificate = x509.load_pem_x509_certificate((folder / f"P{party_id}.pem").read_bytes())
        assert certificate.subject.rfc4514_string() == f"CN=P{party_id}"
        certificate.verify_directly_issued_by(certificate)
        assert (folder / f"{subject_hash(f'P{party_id}')}.0").read_bytes() == (folder / f"P{party_id}.pem").read_bytes()
        assert stat.S_IMODE((folder / f"P{party_id}.key").stat().st_mode) == 0o600


def test_certificates_from_other_hosts(tmp_path: Path) -> None:
    for party_id in range(3):
        make_certificate(party_id, tmp_path / f"host{party_id}")
    certificates = [tmp_path / f"host{i}" / f"P{i}.pem" for i in range(3)]
    install_certificates(1, tmp_path / "host1" / "P1.key", certificates, tmp_path / "run")
    names = {f"P{i}.pem" for i in range(3)} | {f"{subject_hash(f'P{i}')}.0" for i in range(3)} | {"P1.key"}
    assert {path.name for path in (tmp_path / "run").iterdir()} == names
    assert stat.S_IMODE((tmp_path / "run" / "P1.key").stat().st_mode) == 0o600
    with pytest.raises(UsageError, match=r"for the name P0.*got one for P2"):
        install_certificates(1, tmp_path / "host1" / "P1.key", certificates[::-1], tmp_path / "other")
    with pytest.raises(UsageError, match="party 1's key"):
        install_certificates(1, tmp_path / "missing.key", certificates, tmp_path / "other")
    (tmp_path / "text.pem").write_text("text")
    with pytest.raises(UsageError, match="PEM"):
        install_certificates(1, tmp_path / "host1" / "P1.key", [tmp_path / "text.pem"], tmp_path / "other")


def test_inputs_get_mp_spdzs_names(tmp_path: Path) -> None:
    text, binary = tmp_path / "a.txt", tmp_path / "b.bin"
    text.write_text("1 2")
    binary.write_bytes(bytes(8))
    run_folder.write_inputs(tmp_path / "run", {0: InputFiles(text, binary), 2: InputFiles(text)})
    folder = tmp_path / "run" / "Player-Data"
    assert sorted(p.name for p in folder.iterdir()) == ["Input-Binary-P0-0", "Input-P0-0", "Input-P2-0"]
    assert (folder / "Input-P2-0").read_text() == "1 2"


def test_hosts(tmp_path: Path) -> None:
    run_folder.write_hosts(tmp_path, 1, [("10.0.0.1", 5000), ("b.example", 5001), ("c.example", 5002)])
    assert (tmp_path / "HOSTS-P1").read_text() == "10.0.0.1:5000\nb.example:5001\nc.example:5002\n"


def test_ports() -> None:
    ports = [port for _, port in run_folder.local_addresses(None)]
    assert len(set(ports)) == 3
    first = free_ports()
    with socket.create_server(("127.0.0.1", first + 1)), pytest.raises(PortInUse, match="party 1"):
        run_folder.local_addresses(first)


def test_a_plan_in_numbers() -> None:
    plan = AdditiveErrorPlan.parse("additive-error-plan 1\nGRADIENT 0 1 -5\nGRADIENT * * 2\n9 1 1 3\nHINGE/and 0 7 1\n")
    numbered = additive_plan.numbered(plan, {7: "GRADIENT", 3: "HINGE"})
    assert numbered.text() == "additive-error-plan 1\n7 0 1 -5\n7 * * 2\n9 1 1 3\n3/and 0 7 1\n"


def test_a_name_and_its_number_add_up() -> None:
    plan = AdditiveErrorPlan.parse("additive-error-plan 1\nGRADIENT 0 1 5\n7 0 1 6\n")
    assert len(additive_plan.numbered(plan, {7: "GRADIENT"})) == 2


@pytest.mark.parametrize(("site", "words"), [("HINGE/csa", "gates belong to one engine"), ("GRADEINT", "GRADIENT")])
def test_sites_that_mp_spdz_lacks(site: str, words: str) -> None:
    plan = AdditiveErrorPlan.parse(f"additive-error-plan 1\n{site} 0 1 1\n")
    with pytest.raises(PlanError, match=words):
        additive_plan.numbered(plan, {7: "GRADIENT", 3: "HINGE"})


def test_only_runs_with_a_plan_get_its_variables(tmp_path: Path) -> None:
    outer = {"A": "1", "MPC_TAMPER_PLAN": "outer", "MPC_TAMPER_CORRUPT_PARTY": "0"}
    assert additive_plan.environment(outer, None, None) == {"A": "1"}
    assert additive_plan.environment(outer, tmp_path / "p", 2) == {
        "A": "1",
        "MPC_TAMPER_PLAN": str(tmp_path / "p"),
        "MPC_TAMPER_CORRUPT_PARTY": "2",
    }


def earlier_run(folder: Path) -> Path:
    (folder / "Persistence").mkdir(parents=True)
    for i in range(3):
        shares = np.arange(4, dtype="<u8") + i
        (folder / "Persistence" / f"Transactions-P{i}.data").write_bytes(HEADER + shares.tobytes())
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((folder / "Persistence").iterdir())}


def test_a_run_keeps_what_it_wrote_behind_an_earlier_runs_shares(tmp_path: Path) -> None:
    source, run_dir = earlier_run(tmp_path / "earlier"), tmp_path / "run"
    with run_folder.share_files(run_dir, source, range(3)):
        assert contents(run_dir) == contents(source)
        with (run_dir / "Persistence" / "Transactions-P0.data").open("ab") as file:
            file.write(b"new share 16 by.")
        (run_dir / "Persistence" / "Transactions-gf2n-P0.data").write_bytes(HEADER)
    assert contents(run_dir) == {"Transactions-P0.data": HEADER + b"new share 16 by."}  # of the party that wrote


def test_a_run_in_the_folder_of_an_earlier_one_goes_on_behind_its_shares(tmp_path: Path) -> None:
    run_dir = earlier_run(tmp_path)
    before = contents(run_dir)
    with (
        run_folder.share_files(run_dir, run_dir, range(3)),
        (run_dir / "Persistence" / "Transactions-P0.data").open("ab") as file,
    ):
        file.write(b"new share 16 by.")
    assert contents(run_dir) == before | {
        "Transactions-P0.data": before["Transactions-P0.data"] + b"new share 16 by.",
    }
    assert [p.name for p in run_dir.iterdir()] == ["Persistence"]


def test_mac_keys_come_along(tmp_path: Path) -> None:
    source = earlier_run(tmp_path / "earlier")
    key = Path("Player-Data", "3-SYMR-64", "Player-MAC-Keys-MR-P0")
    (source / key).parent.mkdir(parents=True)
    (source / key).write_text("3\n1 2")
    with run_folder.share_files(tmp_path / "run", source, range(3)):
        assert (tmp_path / "run" / key).read_text() == "3\n1 2"


def test_a_missing_share_file(tmp_path: Path) -> None:
    source = earlier_run(tmp_path / "earlier")
    (source / "Persistence" / "Transactions-P1.data").unlink()
    with pytest.raises(ShareFileError, match="party 1"), run_folder.share_files(tmp_path / "run", source, range(3)):
        pass


def fail_after_writing(run_dir: Path, shares_from: Path | None) -> None:
    (run_dir / "Persistence").mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(KeyboardInterrupt), run_folder.share_files(run_dir, shares_from, range(3)):
        (run_dir / "Persistence" / "Transactions-P0.data").write_bytes(b"half a share")
        raise KeyboardInterrupt


def test_a_failed_run_leaves_no_shares(tmp_path: Path) -> None:
    fail_after_writing(tmp_path / "a", None)
    fail_after_writing(tmp_path / "b", earlier_run(tmp_path / "earlier"))
    assert not list((tmp_path / "a").iterdir())
    assert not list((tmp_path / "b").iterdir())


def test_a_failed_run_in_an_earlier_ones_folder_leaves_its_shares(tmp_path: Path) -> None:
    run_dir = earlier_run(tmp_path)
    before = contents(run_dir)
    fail_after_writing(run_dir, run_dir)
    assert contents(run_dir) == before
    assert [p.name for p in run_dir.iterdir()] == ["Persistence"]


def test_output_of_a_failed_run_is_dropped(tmp_path: Path) -> None:
    (tmp_path / "Player-Data").mkdir()
    for name in ("Binary-Output-P1-0", "Input-P0-0"):
        (tmp_path / "Player-Data" / name).touch()
    run_folder.drop_output(tmp_path)
    assert [p.name for p in (tmp_path / "Player-Data").iterdir()] == ["Input-P0-0"]


def test_binary_output(tmp_path: Path) -> None:
    assert run_folder.binary_output(tmp_path, 0) == ()
    (tmp_path / "Player-Data").mkdir()
    np.array([1, -2, 2**62], "<i8").tofile(tmp_path / "Player-Data" / "Binary-Output-P0-0")
    assert run_folder.binary_output(tmp_path, 0) == (1, -2, 2**62)


def command(party_id: int, code: str) -> PartyCommand:
    return PartyCommand(party_id, [sys.executable, "-c", code], dict(os.environ))


def test_parties_are_followed_to_their_end(tmp_path: Path) -> None:
    code = "import sys, time; print('to', {i}, flush=True); print('and', {i}, file=sys.stderr); time.sleep(0.5)"
    heard: list[tuple[int, str]] = []
    commands = [command(i, code.format(i=i)) for i in range(3)]
    ends = run_parties(commands, tmp_path, 120, lambda party_id, text: heard.append((party_id, text)))
    assert sorted(heard) == [(i, f"to {i}") for i in range(3)]
    assert [(e.party_id, e.returncode, e.stopped_by_us) for e in ends] == [(i, 0, False) for i in range(3)]
    assert [[line.text for line in e.transcript.output + e.transcript.errors] for e in ends] == [
        [f"to {i}", f"and {i}"] for i in range(3)
    ]
    assert all(e.peak_rss_bytes > 1 << 20 for e in ends)


@pytest.mark.slow
def test_a_failing_party_ends_the_others_within_seconds(tmp_path: Path) -> None:
    began = time.monotonic()
    sleeper = "import time; time.sleep(600)"
    ends = run_parties([command(0, sleeper), command(1, "raise SystemExit(7)"), command(2, sleeper)], tmp_path, 300)
    assert time.monotonic() - began < 60
    assert [(e.returncode, e.stopped_by_us) for e in ends] == [
        (-signal.SIGKILL, True),
        (7, False),
        (-signal.SIGKILL, True),
    ]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="processor time of other processes is read from /proc")
def test_parties_that_do_nothing_time_out(tmp_path: Path) -> None:
    stopped = "import os, signal; os.kill(os.getpid(), signal.SIGSTOP)"
    with pytest.raises(PeerTimeout, match="party 1 is suspended") as caught:
        run_parties([command(0, "import time; time.sleep(600)"), command(1, stopped)], tmp_path, 1.0)
    assert caught.value.party == 1


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="processor time of other processes is read from /proc")
def test_who_had_ended_when_the_others_stood_still_is_known(tmp_path: Path) -> None:
    commands = [command(0, "print('x1 = 7')"), command(1, "import time; time.sleep(60)")]
    ends, timeout = run_while_alive(commands, tmp_path, 5.0)
    assert timeout is not None
    assert timeout.party is None
    assert [(e.returncode, e.stopped_by_us) for e in ends] == [(0, False), (-signal.SIGKILL, True)]
    assert [line.text for line in ends[0].transcript.output] == ["x1 = 7"]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="processor time of other processes is read from /proc")
def test_a_party_that_computes_is_given_time(tmp_path: Path) -> None:
    busy = "import time; end = time.monotonic() + 2\nwhile time.monotonic() < end: pass"
    ends = run_parties([command(0, busy), command(1, "import time; time.sleep(2)")], tmp_path, 1.0)
    assert [e.returncode for e in ends] == [0, 0]


def test_what_is_private_is_so_from_the_start(tmp_path: Path) -> None:
    """Whatever the user's umask and whatever the folders' modes were."""
    before = os.umask(0)
    try:
        earlier, run = tmp_path / "earlier", tmp_path / "run"
        (earlier / "Persistence").mkdir(parents=True)
        (earlier / "Persistence" / "Transactions-P0.data").write_bytes(HEADER + bytes(16))
        (earlier / "Player-Data" / "3-M-128").mkdir(parents=True)
        (earlier / "Player-Data" / "3-M-128" / "Player-MAC-Keys-M-P0").write_bytes(b"key")
        (run / "Player-Data").mkdir(parents=True)
        (tmp_path / "in.txt").write_text("1")
        run_folder.write_inputs(run, {0: InputFiles(tmp_path / "in.txt")})
        words = [sys.executable, "-c", "open('Persistence/new', 'w'); open('printed', 'w')"]
        with run_folder.share_files(run, earlier, [0]):
            modes = {path: stat.S_IMODE(path.stat().st_mode) for path in run.rglob("*") if not path.is_symlink()}
            run_parties([PartyCommand(0, words, dict(os.environ))], run, 120)
            modes |= {path: stat.S_IMODE(path.stat().st_mode) for path in run.rglob("*") if not path.is_symlink()}
            folders = {path for path in modes if path.is_dir()}
            assert {path.name for path in folders} == {"Player-Data", "Persistence", "3-M-128"}
            assert {path.name: f"{mode:o}" for path, mode in modes.items() if mode & 0o077} == {}
    finally:
        os.umask(before)
