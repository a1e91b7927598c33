"""A result of a sweep, before it becomes part of a record."""

from __future__ import annotations

from typing import Any

from mpc_tamper.records.fields import Record
from mpc_tamper.records.schema import Schema


class Result(Record, kw_only=True):
    """key: what the result depends on."""

    key: dict[str, Any]
    result: dict[str, Any]


RESULT = Schema("sweep-result", "mpc-tamper matrix, leak or costs", (), (Result,))
