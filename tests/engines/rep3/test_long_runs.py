"""Runs of any length: counters that stand where hours would have taken them, and far beyond, meet no limit unsaid."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from typer.testing import Result

from mpc_tamper.core.errors import EngineUnavailable, FrameError, ProtocolAbort
from mpc_tamper.engines.frontend import steps
from mpc_tamper.engines.frontend.steps import StepClock
from mpc_tamper.engines.registry import get_engine
from mpc_tamper.engines.rep3.handshake import agree_on_keys
from mpc_tamper.engines.rep3.in_process import ends_in_threads
from mpc_tamper.engines.rep3.protocol import passive
from mpc_tamper.engines.rep3.protocol.active import Active
from mpc_tamper.engines.rep3.protocol.age import Age
from mpc_tamper.engines.rep3.protocol.context import Party
from mpc_tamper.engines.rep3.protocol.opening import open_to_all
from mpc_tamper.engines.rep3.protocol.proof import transcript
from mpc_tamper.engines.rep3.protocol.proof.soundness import LIMIT
from mpc_tamper.engines.rep3.protocol.prss import MAX_WORDS, Prss, Purpose, Stream, derive_key
from mpc_tamper.engines.rep3.protocol.share import public
from mpc_tamper.engines.rep3.transport import channel as channels
from mpc_tamper.engines.rep3.transport import frame
from mpc_tamper.engines.rep3.transport.channel import Channel
from mpc_tamper.engines.rep3.transport.memory import memory_channels
from mpc_tamper.runs.corruption import Corruption
from mpc_tamper.runs.plan import EVERY, AdditiveError, AdditiveErrorPlan
from mpc_tamper.runs.protocols import EngineName

VALUES = np.arange(6, dtype=np.uint64)
TEN_HOURS = Age.after(10)
BEYOND = Age(messages=1 << 40, sent_bytes=1 << 46, blocks=1 << 42, batches=1 << 60)
PRODUCTS_OF_STREAM = 1 << 40  # the pads that so many products take
AGES = [
    pytest.param(Age(), id="at the beginning"),
    pytest.param(TEN_HOURS, id="after ten hours"),
    pytest.param(Age(messages=(1 << 32) - 3, batches=(1 << 32) - 1), id="where 32 bits end"),
    pytest.param(Age(blocks=PRODUCTS_OF_STREAM // 2, batches=1 << 33), id="2^40 products, 2^33 batches"),
    pytest.param(BEYOND, id="beyond"),
]


def batches(party: Party) -> list[list[int]]:
    """Two batches of products."""
    party.steps.start(1)
    x = public(VALUES, party.party_id)
    cubes = passive.mul(party, passive.mul(party, x, x), x)
    opened = [open_to_all(party, cubes), open_to_all(party, passive.mul(party, x, x))]
    party.steps.stop(1)
    return [values.tolist() for values in opened]


def run(age: Age, corruption: Corruption | None = None) -> list[tuple[Any, BaseException | None, Any]]:
    """How each party ended, and its recorder."""
    recorders: dict[int, Active] = {}

    def keys(channel: Channel) -> Prss:
        channel.advance(age.messages, age.sent_bytes)
        return agree_on_keys(channel, first_block=age.blocks)

    def recorder(channel: Channel, prss: Prss) -> Active:
        recorders[channel.party_id] = Active(channel, prss, b"long", first_batch=age.batches)
        return recorders[channel.party_id]

    ends = ends_in_threads(batches, recorder=recorder, keys=keys, sites={1: "STEP"}, corruption=corruption)
    return [(end.result, end.error, recorders.get(i)) for i, end in enumerate(ends)]


def test_ten_hours_take_the_counters_far_and_not_to_their_ends() -> None:
    assert TEN_HOURS.messages > 1 << 32
    assert TEN_HOURS.batches > 1 << 32
    assert 2 * TEN_HOURS.blocks > 1 << 40
    assert 3 * TEN_HOURS.messages < frame.MAX_SEQUENCE
    assert 3 * TEN_HOURS.sent_bytes < channels.MAX_BYTES
    assert 3 * 2 * TEN_HOURS.blocks < MAX_WORDS


@pytest.mark.parametrize("age", AGES)
def test_batches_are_proved_at_every_age_with_one_soundness(age: Age) -> None:
    for result, error, recorder in run(age):
        assert error is None
        assert result == [(VALUES**3).tolist(), (VALUES**2).tolist()]
        assert recorder.batches == age.batches + 2
        assert recorder.soundness_error == run(Age())[0][2].soundness_error < LIMIT


@pytest.mark.parametrize("age", AGES)
def test_an_error_is_caught_at_every_age(age: Age) -> None:
    plan = AdditiveErrorPlan.from_errors([AdditiveError("STEP", EVERY, 1, 1 << 63)])
    for party in range(3):
        errors = [error for _, error, _ in run(age, Corruption(party, plan))]
        assert all(errors)
        assert any(f"of batch {age.batches} failed" in str(error) for error in errors)


def test_pads_of_a_late_stream_are_those_of_the_cipher() -> None:
    """Against AES-CTR from the library, shortly before the last block."""
    first = (1 << 44) - (1 << 14)
    key = derive_key(b"k" * 32, Purpose.ZERO.value, 16)
    cipher = Cipher(algorithms.AES(key), modes.CTR(first.to_bytes(16, "big"))).encryptor()
    drawn = Stream(b"k" * 32, Purpose.ZERO, first).draw(300)
    assert drawn.tobytes() == cipher.update(bytes(2400))
    early = Stream(b"k" * 32, Purpose.ZERO)
    early.draw(2 * 7)
    assert np.array_equal(early.draw(8), Stream(b"k" * 32, Purpose.ZERO, 7).draw(8))


def test_a_stream_ends_with_an_error() -> None:
    stream = Stream(b"k" * 32, Purpose.ZERO, MAX_WORDS // 2 - (1 << 14))
    for _ in range(2):
        stream.draw(1 << 14)
    with pytest.raises(ProtocolAbort, match=r"at most 2\^45 pads from one key"):
        stream.draw(1)
    assert MAX_WORDS // 2 == 1 << 44  # blocks; told from random ones with probability at most 2^-41
    assert 2 * math.log2(MAX_WORDS // 2) - 129 <= -41


@pytest.mark.parametrize(
    ("age", "message"),
    [
        (Age(messages=frame.MAX_SEQUENCE - 1), r"at most 2\^48 messages on a link"),
        (Age(sent_bytes=channels.MAX_BYTES - 50), r"at most 2\^47 bytes from a party"),
        (Age(blocks=MAX_WORDS // 2), r"at most 2\^45 pads from one key"),
        (Age(batches=transcript.MAX_BATCHES - 1), r"at most 2\^64 batches of proofs"),
    ],
)
def test_every_counter_ends_with_an_error_that_says_what_to_do(age: Age, message: str) -> None:
    said = [str(error) for _, error, _ in run(age)]
    assert any(re.search(message, each) for each in said)
    assert any("start a new run" in each for each in said)


def test_a_message_of_another_number_is_refused_where_32_bits_would_take_it() -> None:
    header = frame.pack_header("values", 5, 4)
    with pytest.raises(FrameError, match=r"message 5 .* expected number 4294967301"):
        frame.check_header(header, "values", 5 + (1 << 32), 4, 1)
    frame.check_header(frame.pack_header("values", 5 + (1 << 32), 4), "values", 5 + (1 << 32), 4, 1)
    with pytest.raises(FrameError, match="start a new run"):
        frame.pack_header("values", 1 << 48, 4)


def test_channels_go_on_from_where_they_are_put() -> None:
    parties = memory_channels()
    for each in parties:
        each.advance(1 << 40, 1 << 30)
    parties[0].exchange("a", {1: memoryview(b"abcd")}, {})
    buffer = bytearray(4)
    parties[1].exchange("a", {}, {0: memoryview(buffer)})
    assert (bytes(buffer), parties[0].bytes_sent) == (b"abcd", 4 + frame.HEADER_BYTES)


def test_the_records_of_steps_do_not_grow_with_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "MAX_APART", 4)
    clock = StepClock({1: "A", 2: "B"})
    for _ in range(10):
        for number in (1, 2):
            clock.start(number)
            clock.stop(number)
    assert [(each.site, each.occurrence, each.times) for each in clock.records] == [
        ("A", 0, 1),
        ("B", 0, 1),
        ("A", 1, 1),
        ("B", 1, 1),
        ("A", 2, 8),
        ("B", 2, 8),
    ]


def test_a_command_shows_it(invoke: Callable[..., Result], tmp_path: Path) -> None:
    path = tmp_path / "program.mpc"
    path.write_text("print_ln('%s', (sint(6) * sint(7)).reveal())\n")
    command = ("run", path, "--protocol", "mal-rep-ring", "--json", "--run-dir")
    late = json.loads(invoke(*command, tmp_path / "late", "--simulated-hours", "10").stdout)
    now = json.loads(invoke(*command, tmp_path / "now").stdout)
    assert late["lines"] == now["lines"] == ["42"]
    for then, at_once in zip(late["parties"], now["parties"], strict=True):
        assert then["batches"] == TEN_HOURS.batches + at_once["batches"]
        assert then["soundness_error"] == at_once["soundness_error"] <= 2**-40
        assert (then["bytes_sent"], then["rounds"]) == (at_once["bytes_sent"], at_once["rounds"])
    ended = invoke(*command, tmp_path / "ended", "--simulated-hours", "1000")
    assert ended.exit_code != 0
    assert "start a new run" in ended.stderr


def test_engines_without_such_counters_say_so() -> None:
    with pytest.raises(EngineUnavailable, match="runs that begin late"):
        get_engine(EngineName.CLEAR).after(10)
