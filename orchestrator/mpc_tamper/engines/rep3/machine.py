"""The rep3 machine: what the .mpc language asks for, computed on replicated shares."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np

from mpc_tamper.core.errors import EngineUnavailable, ProgramError
from mpc_tamper.core.files import private
from mpc_tamper.engines import share_files
from mpc_tamper.engines.inputs import OwnerInput
from mpc_tamper.engines.mapped import freeze
from mpc_tamper.engines.rep3.clients.remarks import Remarks
from mpc_tamper.engines.rep3.clients.service import ClientService, Waiting
from mpc_tamper.engines.rep3.primitives.comparison import less_than_zero
from mpc_tamper.engines.rep3.primitives.shift import right_shift
from mpc_tamper.engines.rep3.protocol import passive
from mpc_tamper.engines.rep3.protocol.context import Party
from mpc_tamper.engines.rep3.protocol.inputs import share_input
from mpc_tamper.engines.rep3.protocol.opening import open_to_all
from mpc_tamper.engines.rep3.protocol.pending import Pending
from mpc_tamper.engines.rep3.protocol.prss import Purpose
from mpc_tamper.engines.rep3.protocol.share import RepShare, plus_public, public, shifts_of, times_public

_Method = TypeVar("_Method", bound=Callable[..., Any])


def _final(method: _Method, *, with_all_clients: bool = False, waits: bool = False) -> _Method:
    """Whatever fails in this method is the end of the run, also where the program catches it.

    Not only what a check finds: an input that ends early or memory that runs out may leave an operation half done, its
    message sent and its gates not recorded.

    with_all_clients: refused after a client was lost of which the program does not know (clients/service.py).
    waits: the method begins an operation that waits for others (protocol/pending.py); any other completes them first.
    """

    @wraps(method)
    def guarded(self: Rep3Machine, *args: Any, **options: Any) -> Any:
        with self.party.channel.final.guard():
            if with_all_clients and self._service is not None:
                self._service[1].require_all()
            if not waits:
                self._pending.complete()
            return method(self, *args, **options)

    return cast(_Method, guarded)


def _with_all_clients(method: _Method) -> _Method:
    return _final(method, with_all_clients=True)


def _waiting(method: _Method) -> _Method:
    return _final(method, with_all_clients=True, waits=True)


class Rep3Machine:
    """Implements frontend.machine.Machine for one party.

    run_dir: this run's share files and binary output.  emit: where program output goes, line ends included.
    on_step: told the site and occurrence of each step that begins.  listen: opens this server's door to clients.
    budget: asked when the program listens, what says whether the client with a certificate may ask once more.
    together: how many answers one proof is made for, at most.  remark: of clients that did something wrong.

    Each party runs the program's Python by itself. public_values, a hash over all public values that enter the
    computation, must come out equal at all parties (handshake.compare_public_values).
    """

    def __init__(
        self,
        party: Party,
        inputs: OwnerInput,
        run_dir: Path,
        emit: Callable[[str], None],
        on_step: Callable[[str, int], None] | None = None,
        listen: Callable[[int], Waiting] | None = None,
        budget: Callable[[], Callable[[bytes], bool]] | None = None,
        together: int = 1,
        remark: Remarks | None = None,
    ) -> None:
        self.party = party
        self._pending = Pending(party)
        self._inputs = inputs
        self._shares = share_files.share_file(run_dir, party.party_id)
        self._binary_output = run_dir / "Player-Data" / f"Binary-Output-P{party.party_id}-0"
        self._emit = emit
        self._on_step = on_step
        self._listen = listen
        self._budget = budget
        self._together = together
        self._remark = remark
        self._service: tuple[int, ClientService] | None = None
        self.public_values = hashlib.sha256()

    def _note(self, values: np.ndarray) -> None:
        """A constant that is repeated without memory is hashed once."""
        if values.strides == (0,):
            self.public_values.update(len(values).to_bytes(8, "little"))
            values = values[:1]
        self.public_values.update(np.ascontiguousarray(values).data)

    def share_public(self, values: np.ndarray) -> RepShare:
        self._note(values)
        return public(values, self.party.party_id)

    def allocate(self, size: int) -> RepShare:
        return self._zeros(size, stays=True)

    def _zeros(self, size: int, *, stays: bool) -> RepShare:
        own, previous = (self.party.storage.zeros((size,), stays=stays) for _ in range(2))
        return RepShare(own, previous)

    def concatenate(self, parts: list[RepShare]) -> RepShare:
        joined = self._zeros(sum(part.shape[0] for part in parts), stays=False)
        base = 0
        for part in parts:
            joined[base : base + part.shape[0]] = part
            base += part.shape[0]
        joined.shifts = shifts_of(parts)
        return joined

    def lend(self, x: RepShare) -> bool:
        return self.party.recorder.lend(x)

    def add(self, x: RepShare, y: RepShare) -> RepShare:
        return x + y

    def sub(self, x: RepShare, y: RepShare) -> RepShare:
        return x - y

    def add_public(self, x: RepShare, c: np.ndarray) -> RepShare:
        self._note(c)
        return plus_public(x, c, self.party.party_id)

    def scale(self, x: RepShare, c: np.ndarray) -> RepShare:
        self._note(c)
        return times_public(x, c)

    @_with_all_clients
    def random(self, shape: tuple[int, ...]) -> RepShare:
        return RepShare(*self.party.prss.pads(Purpose.RANDOM, shape))

    @_with_all_clients
    def input(self, owner: int, shape: tuple[int, ...], *, binary: bool) -> RepShare:
        def read(count: int) -> np.ndarray:
            return self._inputs.take(count, binary=binary)

        return share_input(self.party, owner, shape, read)

    @_with_all_clients
    def mul(self, x: RepShare, y: RepShare) -> RepShare:
        return passive.mul(self.party, x, y)

    @_with_all_clients
    def dot(self, x: RepShare, y: RepShare) -> RepShare:
        return passive.dot(self.party, x, y)

    @_with_all_clients
    def matmul(self, x: RepShare, y: RepShare) -> RepShare:
        return passive.matmul(self.party, x, y)

    @_with_all_clients
    def trans_matmul(self, x: RepShare, y: RepShare) -> RepShare:
        return passive.trans_matmul(self.party, x, y)

    @_waiting
    def less_than_zero(self, x: RepShare, k: int) -> RepShare:
        vector = x if len(x.shape) == 1 else x.reshape(-1)
        return self._pending.add(less_than_zero(self.party, vector, k), x.shape)

    @_waiting
    def right_shift(self, x: RepShare, t: int) -> RepShare:
        return self._pending.add(right_shift(self.party, x.reshape(-1), t), x.shape)

    @_with_all_clients
    def open(self, x: RepShare) -> np.ndarray:
        return open_to_all(self.party, x)

    @_final
    def listen_for_clients(self, port: int) -> None:
        if self._service is not None:
            raise ProgramError(f"expected one listen_for_clients, got ports {self._service[0]} and {port}")
        if self._listen is None:
            raise EngineUnavailable("expected a run that can serve clients, got one in memory: use --engine rep3")
        may_ask = None if self._budget is None else self._budget()
        self._service = (
            port,
            ClientService(
                self.party, self._listen(port), may_ask=may_ask, together=self._together, remark=self._remark
            ),
        )

    @_with_all_clients
    def accept_client(self, port: int) -> int:
        if self._service is not None and port != self._service[0]:
            raise ProgramError(f"expected port {self._service[0]}, on which this program listens, got {port}")
        return self._clients.accept()

    @_final
    def receive_from_client(self, client: int, count: int) -> RepShare:
        return self._clients.receive(client, count)

    @_final
    def receive_public_from_client(self, client: int, count: int) -> np.ndarray:
        return self._clients.receive_public(client, count)

    @_with_all_clients
    def send_public_to_client(self, client: int, values: np.ndarray) -> None:
        self._note(values)
        self._clients.send_public(client, values)

    @_final
    def client_present(self, client: int) -> bool:
        return self._clients.present(client)

    @_with_all_clients
    def reveal_to_clients(self, clients: list[int], values: RepShare) -> None:
        self._clients.reveal(clients, values)

    @_final
    def close_client(self, client: int) -> None:
        self._clients.close(client)

    @property
    def _clients(self) -> ClientService:
        if self._service is None:
            raise ProgramError("expected listen_for_clients(port) before a client is spoken to")
        return self._service[1]

    @_with_all_clients
    def answer_clients(self) -> None:
        """What has been revealed to clients and not sent yet, at the end of the program."""
        if self._service is not None:
            self._service[1].answer()

    def close(self) -> None:
        """No more clients."""
        if self._service is not None:
            self._service[1].close_all()

    @_with_all_clients
    def write_shares(self, x: RepShare, position: int | None) -> None:
        self.party.recorder.prove()
        share_files.write(self._shares, x.own, x.previous, position)

    @_with_all_clients
    def read_shares(self, position: int, count: int) -> tuple[RepShare, int]:
        own, previous = share_files.read(self._shares, position, count, self.party.storage)
        freeze(own)
        freeze(previous)
        shares = RepShare(own, previous)
        self.party.recorder.check_agreement(shares)
        stop = position + count
        return shares, -1 if stop == share_files.count(self._shares) else stop

    def start_timer(self, number: int) -> None:
        self._pending.complete()
        steps = self.party.steps
        steps.start(number)
        if self._on_step is not None:
            self._on_step(steps.name(number), steps.occurrence)

    def stop_timer(self, number: int) -> None:
        self._pending.complete()
        self.party.steps.stop(number)

    @_final
    def emit(self, text: str) -> None:
        self._emit(text)

    @_with_all_clients
    def emit_binary(self, values: np.ndarray) -> None:
        self._binary_output.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(self._binary_output, "ab", opener=private) as file:
            file.write(values.astype("<u8").tobytes())
