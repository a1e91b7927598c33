"""A party that has failed once refuses everything: a program that catches it opens nothing and does not pass."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mpc_tamper.core.errors import DataError, FrameError, OpeningError, PartyError, PeerTimeout, ProofRejected
from mpc_tamper.engines.frontend.program import load_program, run_program
from mpc_tamper.engines.inputs import OwnerInput
from mpc_tamper.engines.rep3.in_process import ends_in_threads
from mpc_tamper.engines.rep3.machine import Rep3Machine
from mpc_tamper.engines.rep3.protocol import passive
from mpc_tamper.engines.rep3.protocol.context import Party
from mpc_tamper.engines.rep3.protocol.opening import open_to_all
from mpc_tamper.engines.rep3.protocol.selection import recorder_for
from mpc_tamper.engines.rep3.transport import frame
from mpc_tamper.engines.rep3.transport.channel import Channel
from mpc_tamper.engines.rep3.transport.link import SocketLink
from mpc_tamper.runs.injector import ErrorInjector
from mpc_tamper.runs.plan import AdditiveError, AdditiveErrorPlan
from mpc_tamper.runs.protocols import ProtocolName
from mpc_tamper.runs.spec import InputFiles
from tests.support.active_runs import run, shared

ERROR = AdditiveErrorPlan.from_errors([AdditiveError("STEP", 0, 0, 1000)])


def again_and_again(attempt: Callable[[], np.ndarray], opened: list[np.ndarray]) -> None:
    for _ in range(3):
        with contextlib.suppress(PartyError):
            opened.append(attempt())


@pytest.mark.parametrize("corrupt_party", range(3))
def test_what_a_proof_was_refused_for_is_never_opened(corrupt_party: int) -> None:
    """The record is dropped before it is proved: the second opening would have nothing to prove."""

    def program(party: Party, opened: list[np.ndarray]) -> None:
        x = shared(party, 0, np.array([5, 6, 7], np.uint64))
        party.steps.start(4)
        z = passive.mul(party, x, x)
        party.steps.stop(4)
        again_and_again(lambda: open_to_all(party, z), opened)
        again_and_again(lambda: open_to_all(party, x), opened)
        again_and_again(lambda: open_to_all(party, passive.mul(party, x, x)), opened)

    ends = run(program, corrupt_party=corrupt_party, plan=ERROR)
    assert [end.opened for end in ends] == [[], [], []]
    assert all(isinstance(end.error, PartyError) for end in ends)
    assert any(isinstance(end.error, ProofRejected) for end in ends)


@pytest.mark.parametrize("active", [False, True], ids=["passive", "active"])
@pytest.mark.parametrize("corrupt_party", range(3))
def test_no_opening_after_one_that_differed(corrupt_party: int, active: bool) -> None:
    """In the passive protocol too: only one party can see the difference, and it takes no further part."""
    opened: list[list[np.ndarray]] = [[], [], []]

    def program(party: Party) -> None:
        x = shared(party, 0, np.arange(5, dtype=np.uint64))
        y = passive.mul(party, x, x)
        wrong = y.copy()
        if party.party_id == corrupt_party:
            wrong.own += np.uint64(1)
        with contextlib.suppress(PartyError):
            open_to_all(party, wrong)
        again_and_again(lambda: open_to_all(party, y), opened[party.party_id])

    protocol = ProtocolName.MAL_REP_RING if active else ProtocolName.RING
    ends = ends_in_threads(
        program, recorder=lambda channel, prss: recorder_for(protocol, channel, prss, b"test"), timeout_seconds=60
    )
    victim = (corrupt_party - 1) % 3
    assert isinstance(ends[victim].error, OpeningError)
    assert opened[victim] == []
    assert all(isinstance(end.error, PartyError) for end in ends)


CATCHES = """
STEP = 4
x = sint.Array(3)
x.input_from(0)
start_timer(STEP)
z = x[:] * x[:]
stop_timer(STEP)
for action in (
    lambda: print_ln('opened %s', z.reveal()),
    lambda: print_ln('opened %s', z.reveal()),
    lambda: sint.write_to_file([z]),
    lambda: z.reveal().binary_output(),
    lambda: print_ln('opened %s', x[:].reveal()),
    lambda: print_ln('it passed'),
):
    try:
        action()
    except BaseException:
        pass
"""


def run_as_mpc(
    source: str, folder: Path, numbers: str, plan: AdditiveErrorPlan | None
) -> tuple[list[str], list[BaseException | None]]:
    """What the parties print, and how they end."""
    program, values = folder / "catches.mpc", folder / "input"
    program.write_text(source)
    values.write_text(numbers)
    loaded = load_program(program)
    said: list[str] = []

    def run_party(party: Party) -> None:
        if plan is not None and party.party_id == 1:
            party.injector = ErrorInjector(plan)
        given = InputFiles(values, None) if party.party_id == 0 else None
        machine = Rep3Machine(party, OwnerInput(party.party_id, given), folder, said.append)
        run_program(loaded, (), machine)

    ends = ends_in_threads(
        run_party,
        sites=dict(loaded.sites),
        recorder=lambda channel, prss: recorder_for(ProtocolName.MAL_REP_RING, channel, prss, b"test"),
        timeout_seconds=60,
    )
    return said, [end.error for end in ends]


def test_a_program_that_catches_everything_gets_nothing(tmp_path: Path) -> None:
    said, errors = run_as_mpc(CATCHES, tmp_path, "5 6 7", ERROR)
    assert said == []
    assert all(isinstance(error, PartyError) for error in errors)
    assert any(isinstance(error, ProofRejected) for error in errors)
    assert not (tmp_path / "Persistence").exists()
    assert not (tmp_path / "Player-Data").exists()


def test_the_same_program_passes_where_nobody_cheats(tmp_path: Path) -> None:
    said, errors = run_as_mpc(CATCHES, tmp_path, "5 6 7", None)
    assert errors == [None, None, None]
    assert len([line for line in said if "passed" in line]) == 3


def test_an_input_that_ends_early_and_is_caught_ends_the_run(tmp_path: Path) -> None:
    """The owner has drawn its pads and sent nothing."""
    source = "try:\n    x = sint.get_input_from(0, size=4)\nexcept BaseException:\n    x = sint(1)\n"
    said, errors = run_as_mpc(source + "print_ln('%s', x.reveal())\n", tmp_path, "5 6 7", None)
    assert said == []
    assert isinstance(errors[0], DataError)
    assert all(isinstance(error, PartyError) for error in errors[1:])


def test_a_channel_that_timed_out_or_got_something_else_is_used_no_more() -> None:
    for first, error in ((b"", PeerTimeout), (frame.pack_header("other", 0, 4) + b"abcd", FrameError)):
        ours, theirs = socket.socketpair()
        with ours, theirs:
            channel = Channel(0, {1: SocketLink(ours)}, timeout_seconds=60.0 if first else 0.2)
            theirs.sendall(first)
            with pytest.raises(error):
                channel.exchange("values", {}, {1: memoryview(bytearray(4))})
            theirs.sendall(frame.pack_header("values", 0, 4) + b"abcd")
            for message in ({1: memoryview(b"more")}, {}):
                with pytest.raises(error):
                    channel.exchange("values", message, {1: memoryview(bytearray(4))})
            theirs.setblocking(False)
            with pytest.raises(BlockingIOError):
                theirs.recv(1)


def test_an_interrupt_that_a_program_catches_is_not_forgotten() -> None:
    """It may have left half a message behind."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        channel = Channel(0, {1: SocketLink(ours)}, timeout_seconds=0.2)
        with pytest.raises(KeyboardInterrupt), channel.final.guard():
            raise KeyboardInterrupt
        with pytest.raises(KeyboardInterrupt):
            channel.exchange("values", {1: memoryview(b"more")}, {})
