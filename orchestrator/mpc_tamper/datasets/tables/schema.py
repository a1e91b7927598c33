"""What is public of a table: names, kinds, ranges and categories of its columns, and the classes of its label.

Several owners agree on a schema before they share anything. Each encodes its own file by it, unseen by the others, and
the same value becomes the same level everywhere. A number becomes one feature, scaled by its range; a boolean one
feature, 0 or 1; a category one feature for each entry of its list, of which one is 1 and the others are 0.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

import numpy as np

from mpc_tamper.core.errors import DataError
from mpc_tamper.datasets.advice import MOST_CLASSES
from mpc_tamper.datasets.scaling import Scaling

MOST_FEATURES = 1 << 16
MOST_CATEGORIES = 100  # of a column for which nobody has written down a list


class Kind(StrEnum):
    NUMBER = "number"
    CATEGORY = "category"
    BOOLEAN = "boolean"


Fill = float | str | bool
"""What stands for a missing value: a number, a category or a boolean, as the column's kind is."""


@dataclass(frozen=True)
class Column:
    """minimum, maximum: of a number; values beyond are clipped.  categories: of a category, in the features' order.

    fill: what a missing value becomes; None refuses missing values.
    """

    name: str
    kind: Kind
    minimum: float = 0.0
    maximum: float = 1.0
    categories: tuple[str, ...] = ()
    fill: Fill | None = None

    def __post_init__(self) -> None:
        if not self.name or self.name != self.name.strip():
            raise DataError(f"schema: expected the name of a column, without spaces around it, got {self.name!r}")
        if not (math.isfinite(self.minimum) and math.isfinite(self.maximum) and self.minimum <= self.maximum):
            raise self._wrong("a finite minimum, at most the maximum", f"{self.minimum:g} to {self.maximum:g}")
        if self.kind is Kind.CATEGORY and not self.categories:
            raise self._wrong("a list of categories", "none")
        if twice := _twice(self.categories):
            raise self._wrong("each category once", f"{', '.join(twice)} more than once")
        if self.fill is not None and not self._fills:
            wanted = {Kind.NUMBER: "a finite number", Kind.BOOLEAN: "true or false"}
            raise self._wrong(f"{wanted.get(self.kind, 'one of its categories')} as fill", repr(self.fill))

    @property
    def feature_names(self) -> tuple[str, ...]:
        """'age' of a number or boolean; 'colour=red' and so on of a category."""
        if self.kind is Kind.CATEGORY:
            return tuple(f"{self.name}={category}" for category in self.categories)
        return (self.name,)

    @property
    def _fills(self) -> bool:
        if self.kind is Kind.CATEGORY:
            return self.fill in self.categories
        if self.kind is Kind.BOOLEAN:
            return isinstance(self.fill, bool)
        return isinstance(self.fill, int | float) and not isinstance(self.fill, bool) and math.isfinite(self.fill)

    def _wrong(self, expected: str, got: str) -> DataError:
        return DataError(f"schema: column {self.name!r}: expected {expected}, got {got}; correct the schema")


@dataclass(frozen=True)
class Schema:
    """label: the name of the column of classes.  classes: what its values are, label 0 first.

    columns: those that become features, in the features' order; a file may have them in another one.
    ignored: columns of a file that are left out. A file has to have the label's and all others, and no further ones.
    """

    label: str
    classes: tuple[str, ...]
    columns: tuple[Column, ...]
    ignored: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 2 <= len(self.classes) <= MOST_CLASSES or _twice(self.classes):
            raise DataError(
                f"schema: expected 2 to {MOST_CLASSES} different classes, got "
                f"{', '.join(self.classes) or 'none'}; correct classes"
            )
        names = [self.label, *self.ignored, *(column.name for column in self.columns)]
        if not self.columns or not self.label:
            raise DataError("schema: expected a label and one or more columns, got none; correct the schema")
        if twice := _twice(names):
            raise DataError(
                f"schema: expected each column once, as label, ignored or in columns, got {', '.join(twice)} more "
                "than once; correct the schema"
            )
        if twice := _twice(self.feature_names):
            raise DataError(
                f"schema: expected features of different names, got {', '.join(twice)} more than once: a column is "
                "called as a category of another one; rename it"
            )
        if len(self.feature_names) > MOST_FEATURES:
            raise DataError(
                f"schema: expected at most {MOST_FEATURES:,} features, got {len(self.feature_names):,}; leave columns "
                "out, or join categories"
            )

    @cached_property
    def feature_names(self) -> tuple[str, ...]:
        return tuple(name for column in self.columns for name in column.feature_names)

    @cached_property
    def scaling(self) -> Scaling:
        """The rule by which features become levels; those of categories and booleans run from 0 to 1."""
        numbers = [column.kind is Kind.NUMBER for column in self.columns for _ in column.feature_names]
        ranges = [(column.minimum, column.maximum) for column in self.columns for _ in column.feature_names]
        least, most = np.array(ranges, dtype=np.float64).T
        return Scaling(np.where(numbers, least, 0.0), np.where(numbers, most, 1.0))

    @property
    def fingerprint(self) -> int:
        """40 bits that differ where schemas do, so that hosts can tell each other which one they read by."""
        return int.from_bytes(hashlib.sha256(repr(self).encode()).digest()[:5], "big")

    @property
    def text_columns(self) -> frozenset[str]:
        """Those whose values are read as they are written: the label, and categories, which may look like numbers."""
        return frozenset([self.label, *(c.name for c in self.columns if c.kind is Kind.CATEGORY)])


def _twice(names: Iterable[str]) -> list[str]:
    return [name for name, count in Counter(names).items() if count > 1]
