"""Random deviations of a corrupt party, as additive-error plans: where, of what kind, and how large."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from mpc_tamper.engines.tampering import Point, Site
from mpc_tamper.runs.plan import AdditiveError, AdditiveErrorPlan

_MODULUS = 1 << 64
_NEAR = 8  # places that often share a word, a row or a round
_WORD_BYTES = 8


class Kind(StrEnum):
    """What is added. opposite: e and -e, which cancel under equal weights; equal: the same twice, which cancels bits
    and keeps two receivers in agreement; known: errors that cancel under weights that the party has seen before."""

    ONE = "1"
    TOP = "2^63"
    RANDOM = "random"
    OPPOSITE = "opposite"
    EQUAL = "equal"
    KNOWN = "known weights"


DRAWN = tuple(kind for kind in Kind if kind is not Kind.KNOWN)


@dataclass(frozen=True)
class Deviation:
    party: int
    point: Point
    kind: Kind
    plan: AdditiveErrorPlan


def draw(rng: random.Random, party: int, sites: Sequence[Site], only: tuple[Point, Kind] | None = None) -> Deviation:
    """only: the point and the kind, where they are known; a point that the program lacks is replaced."""
    points = sorted({site.point for site in sites})
    point, kind = only or (rng.choice(points), rng.choice(DRAWN))
    if point not in points:
        point = rng.choice(points)
    there = [site for site in sites if site.point is point]
    size = rng.choice(sorted({site.count for site in there}))  # else messages of set-up would be most of all
    site = rng.choice([site for site in there if site.count == size or rng.random() < 0.2] or there)
    index = _index(rng, site)
    value = {Kind.ONE: 1, Kind.TOP: 1 << 63}.get(kind, rng.randrange(1, _MODULUS))
    errors = [AdditiveError(site.name, site.occurrence, index, 1 if site.flips else value)]
    if kind in (Kind.OPPOSITE, Kind.EQUAL):
        errors.append(_second(rng, errors[0], site, there, opposite=kind is Kind.OPPOSITE))
    return Deviation(party, point, kind, AdditiveErrorPlan.from_errors(errors))


def _index(rng: random.Random, site: Site) -> int:
    index = rng.randrange(site.count)
    if site.point is Point.MESSAGE and rng.random() < 0.7:
        return index // _WORD_BYTES * _WORD_BYTES
    return index


def _second(
    rng: random.Random, first: AdditiveError, site: Site, there: Sequence[Site], *, opposite: bool
) -> AdditiveError:
    """Near the first at the same site, or at the same index of another site of as many outputs."""
    value = first.value if site.flips or not opposite else _MODULUS - first.value
    others = [each for each in there if each.count == site.count and each.flips == site.flips and each != site]
    if others and (site.count == 1 or rng.random() < 0.5):
        other = min(rng.sample(others, min(3, len(others))), key=lambda each: abs(each.occurrence - site.occurrence))
        return replace(first, site=other.name, occurrence=other.occurrence, value=value)
    step = _WORD_BYTES if site.point is Point.MESSAGE else 1
    near = [i for d in range(-_NEAR, _NEAR + 1) if d and 0 <= (i := first.index + d * step) < site.count]
    return replace(first, index=rng.choice(near) if near else first.index, value=value)
