"""From a batch's record and challenge 0 to what the inner-product argument proves.

Gates of one kind are cut into k rows; gate (a, c) has weight rho_a sigma_c, rho_k = 1. With weights on columns alone,
equal errors in two rows would cancel.

Matrix products Z_t = X Y_t are compressed (Freivalds): a^T Z b = (a^T X)(Y b), over all columns t of the batch, with a
and b random. a is drawn afresh in each batch and for each prover: it is revealed to the prover, who could otherwise
choose later errors orthogonal to it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from mpc_tamper.engines.rep3.kernels import galois_ring
from mpc_tamper.engines.rep3.protocol.proof.argument import Base, base_rows
from mpc_tamper.engines.rep3.protocol.proof.fields import BITS, DEGREE, INTEGERS, Field
from mpc_tamper.engines.rep3.protocol.proof.record import Gates, MatrixGates, Record, Role
from mpc_tamper.engines.rep3.protocol.prss import Stream


@dataclass(frozen=True)
class Sizes:
    """What is public of a batch over one field. rows: k of the first level; lengths: after it, of each prover.

    weight_error: the probability that the weights let a wrong statement through.
    """

    rows: int
    lengths: tuple[int, int, int]
    weight_error: float


@dataclass
class Half:
    """One party's side of a statement: u, v or, of the prover, both; the other one is empty.

    u, v: over the base ring.  u_tail, v_tail: over the extension, appended after the first level.
    claim: its part of the sum over the base gates.  tail_claim: of the tails.  rho: weights of rows 1 .. k - 1.
    """

    u: Base
    v: Base
    u_tail: np.ndarray
    v_tail: np.ndarray
    claim: np.ndarray
    tail_claim: np.ndarray
    rho: np.ndarray


def sizes_of_bits(record: Record) -> Sizes | None:
    """None where the batch has no AND gates."""
    return _sizes(BITS, record.bits.values(), [], lanes=64)


def sizes_of_integers(record: Record) -> Sizes | None:
    return _sizes(INTEGERS, record.integers.values(), list(record.matrices.values()), lanes=1)


def _sizes(field: Field, gates: Iterable[Gates], matrices: list[MatrixGates], lanes: int) -> Sizes | None:
    groups = list(gates)
    if not groups and not matrices:
        return None
    rows = base_rows(field, sum(group.outputs for group in groups))
    length = sum(len(g.products) * g.inner * -(-g.outputs // rows) for g in groups) * lanes
    first, second, third = (length + sum(m.length(prover) for m in matrices) for prover in range(3))
    error = weight_error(field, elementwise=bool(groups), matrices=bool(matrices), rows=rows)
    return Sizes(rows, (first, second, third), error)


def weight_error(field: Field, *, elementwise: bool, matrices: bool, rows: int) -> float:
    """One term for each random factor of a gate's weight: sigma and rho, or a and b.

    It takes one group with an error. Its weights are independent of all others': whatever these make of the rest of the
    sum, a unit difference of two weights keeps more than one value of each factor from completing it to zero.

    Both kinds, and more rows than one: the claim of the tails joins after the first level. Let it be wrong by tau, and
    row a by E_a. A prover may add the constant -tau to P, which takes tau back whatever r is, and passes iff the sum of
    rho_a (E_a + tau) is zero. All E_a = -tau is one wanted value again, as above; if not, at most one value of some
    rho completes the sum, as differences of rho are units and tau is not zero: dense. (rho_k = 1 alone cannot.)
    """
    sparse, dense = 2.0**-field.weight_set_bits, 2.0**-DEGREE
    joining = elementwise and matrices and rows > 1
    return max(elementwise * (sparse + dense), matrices * 2 * sparse) + joining * dense


def half_of_bits(record: Record, role: Role, rows: int, stream: Stream) -> Half:
    base = _base(BITS, list(record.bits.values()), role, rows, stream)
    nothing = BITS.points(np.zeros(0, np.int64))
    return Half(*base[:2], nothing, nothing, base[2], BITS.points(np.zeros(1, np.int64)), base[3])


def half_of_integers(record: Record, role: Role, prover: int, rows: int, stream: Stream) -> Half:
    u, v, claim, rho = _base(INTEGERS, list(record.integers.values()), role, rows, stream)
    tails = [_matrix(gates, role, prover, stream) for gates in record.matrices.values()]
    zero = INTEGERS.points(np.zeros(1, np.int64))
    return Half(
        u,
        v,
        np.concatenate([zero[:0], *(part for tail in tails for part in tail.u)]),
        np.concatenate([zero[:0], *(part for tail in tails for part in tail.v)]),
        claim,
        INTEGERS.sum(np.concatenate([zero, *(tail.claim for tail in tails)])),
        rho,
    )


def _base(
    field: Field, groups: list[Gates], role: Role, rows: int, stream: Stream
) -> tuple[Base, Base, np.ndarray, np.ndarray]:
    """u, v, this role's part of the claim, rho."""
    rho = field.elements(stream.draw(rows - 1)) if field.words == 1 else field.points(stream.draw(rows - 1))
    u, v, of_u, of_v = [], [], [], []
    claim = field.points(np.zeros(1, np.int64))
    row_weights = np.concatenate([rho, field.points(np.ones(1, np.int64))])
    for gates in groups:
        weights = field.draw_weights(stream, -(-gates.outputs // rows))
        repeated = np.repeat(weights, gates.inner, axis=0)
        if role is not Role.LEFT:
            u += [field.rows(words) for words in gates.u(role, rows)]
            of_u += [repeated] * len(gates.products)
        if role is not Role.RIGHT:
            v += [field.rows(words) for words in gates.v(role, rows)]
            of_v += [repeated] * len(gates.products)
        if role is not Role.PROVER:
            t = field.rows(gates.column("t_right" if role is Role.RIGHT else "t_left", rows))
            weighted = field.multiply(row_weights, field.sum_base(weights, t))
            claim = field.add(claim, field.sum(weighted))
    return Base(u, of_u), Base(v, of_v), claim, rho


@dataclass
class _Tail:
    u: list[np.ndarray]
    v: list[np.ndarray]
    claim: np.ndarray


def _matrix(gates: MatrixGates, role: Role, prover: int, stream: Stream) -> _Tail:
    """u = (a^T X_i, Y_i b) and v = (Y_{i-1} b, a^T X_{i-1}), without what is known to be zero."""
    a = INTEGERS.draw_weights(stream, gates.outer)
    b = INTEGERS.draw_weights(stream, gates.vectors)
    x_part, y_part, claim = None, None, INTEGERS.points(np.zeros(1, np.int64))
    tail = _Tail([], [], claim)
    with_own = not gates.known_zero(prover)  # x_i, which the prover and R know
    with_previous = not gates.known_zero(prover - 1)  # x_{i-1}, which the prover and L know
    if role is not Role.LEFT:
        x_i, y_i = (gates.x.own, gates.y_own) if role is Role.PROVER else (gates.x.previous, gates.y_previous)
        x_part = _compressed(gates, a, x_i) if with_own else None
        y_part = galois_ring.weighted_sum(b, np.concatenate(y_i))
        tail.u = _chosen(x_part, y_part if with_previous else None)
        if role is Role.RIGHT:
            claim = _claim(a, b, gates.t_right)
            if x_part is not None and not gates.term_is_shifted(prover):
                claim = claim - _inner_product(x_part, y_part)
    if role is not Role.RIGHT:
        x_i, y_i = (gates.x.previous, gates.y_previous) if role is Role.PROVER else (gates.x.own, gates.y_own)
        x_part = _compressed(gates, a, x_i) if with_previous else None
        y_part = galois_ring.weighted_sum(b, np.concatenate(y_i))
        tail.v = _chosen(y_part if with_own else None, x_part)
        if role is Role.LEFT:
            claim = _claim(a, b, gates.t_left)
            if x_part is not None and gates.takes_shifted_term(prover):
                claim = claim - _inner_product(x_part, y_part)
    tail.claim = claim
    return tail


def _chosen(first: np.ndarray | None, second: np.ndarray | None) -> list[np.ndarray]:
    return [part for part in (first, second) if part is not None]


def _compressed(gates: MatrixGates, a: np.ndarray, component: np.ndarray) -> np.ndarray:
    """a^T X or, where the transpose is what is multiplied, X a: (inner, 64)."""
    x = np.ascontiguousarray(component)
    return galois_ring.weighted_sum_of_columns(a, x) if gates.transposed else galois_ring.weighted_sum(a, x)


def _claim(a: np.ndarray, b: np.ndarray, t: list[np.ndarray]) -> np.ndarray:
    """a^T t b, one element. t: vectors (outer,) as rows."""
    sums = galois_ring.weighted_sum(b, np.concatenate(t))
    galois_ring.weigh(a, sums)
    return INTEGERS.sum(sums)


def _inner_product(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return galois_ring.gram(u[None], v[None])[0]
