"""What a party keeps of the gates that it computes, and what it does before anything leaves the computation.

Every party has a recorder, and the protocol's files call it without asking which. In the passive protocol it records
nothing and proves nothing; active.py has the other one, selection.py says which protocol has which.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple, Protocol

import numpy as np

from mpc_tamper.engines.rep3.protocol.share import RepShare

Pads = tuple[np.ndarray, np.ndarray]  # of a message: F(kappa_i), F(kappa_{i-1})


class Conversions(NamedTuple):
    """What a party knows of bits that become integers (primitives/conversion.py), words for each bit.

    own, previous: the components.  beta_1, beta_1_here: sent and received in the first round, as role 1 and 2.
    z_0_here, z_2_here: received in the second, as role 1 and 0.  first_0, first_1, first_2: where the bits begin for
    which the party has that role.
    """

    pad_own: np.ndarray
    pad_previous: np.ndarray
    own: np.ndarray
    previous: np.ndarray
    beta_1: np.ndarray
    beta_1_here: np.ndarray
    z_0_here: np.ndarray
    z_2_here: np.ndarray
    first_0: int
    first_1: int
    first_2: int


class Recorder(Protocol):
    """soundness_error: an upper bound on the probability that a wrong message has been accepted so far, the largest of
    all batches.

    batches: how many have been proved. Both are None where nothing is proved.
    """

    @property
    def soundness_error(self) -> float | None: ...
    @property
    def batches(self) -> int | None: ...

    # what is recorded

    def lend(self, x: RepShare) -> bool:
        """x's holder promises not to write to it from now on; whether it has to, as it is going to be recorded as it
        is: without a copy."""
        ...

    def products(self, x: RepShare, y: RepShare, z: RepShare, pads: Pads) -> None:
        """z = x y elementwise, or the sums of its rows where z has a dimension less."""
        ...

    def matrix(self, x: RepShare, y: RepShare, z: RepShare, pads: Pads, *, transposed: bool) -> None:
        """z = x y, or the transpose of x times y. From now on pads are the recorder's, which may write to them."""
        ...

    def and_gates(self, planes: RepShare, left: np.ndarray, right: np.ndarray, z: RepShare, pads: Pads) -> None:
        """z: the planes at the indices `left` & those at `right`."""
        ...

    def majorities(self, x: RepShare, z: RepShare, pads: Pads) -> None:
        """z the xor over i of x_i & x_{i-1}."""
        ...

    def conversions(self, known: Conversions) -> None:
        """Of bits to integers."""
        ...

    # what leaves the computation, or enters it

    def one_batch(self) -> AbstractContextManager[None]:
        """What is recorded within is proved together: messages of several operations, sent as one."""
        ...

    def prove(self) -> None:
        """Called before anything is opened, revealed or written to a file."""
        ...

    def second_copy(self, component: np.ndarray) -> np.ndarray:
        """What the second of a component's two holders sends in an opening: uint8, as long for each of this shape."""
        ...

    def check_agreement(self, share: RepShare) -> None:
        """Called with shares from files before they are used. Raises ProtocolAbort where holders disagree."""
        ...

    def finish(self) -> None:
        """At the end of a run. Raises ProtocolAbort if something is left unproved."""
        ...


class PassiveRecorder:
    """Records nothing: the passive protocol trusts that messages are right."""

    soundness_error = None
    batches = None

    def lend(self, x: RepShare) -> bool:
        return False

    def products(self, x: RepShare, y: RepShare, z: RepShare, pads: Pads) -> None: ...
    def matrix(self, x: RepShare, y: RepShare, z: RepShare, pads: Pads, *, transposed: bool) -> None: ...
    def and_gates(self, planes: RepShare, left: np.ndarray, right: np.ndarray, z: RepShare, pads: Pads) -> None: ...
    def majorities(self, x: RepShare, z: RepShare, pads: Pads) -> None: ...
    def conversions(self, known: Conversions) -> None: ...
    def prove(self) -> None: ...
    def one_batch(self) -> AbstractContextManager[None]:
        return nullcontext()

    def check_agreement(self, share: RepShare) -> None: ...
    def finish(self) -> None: ...

    def second_copy(self, component: np.ndarray) -> np.ndarray:
        return component.reshape(-1).view(np.uint8)
