"""What tests of several studies share."""

from __future__ import annotations

import itertools
from functools import partial
from typing import Any

import pytest

from mpc_tamper.engines.rep3 import tampering
from mpc_tamper.engines.rep3.handshake import agree_on_keys
from mpc_tamper.engines.rep3.in_process import ends_in_threads


@pytest.fixture
def repeatable_audit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Audits of rep3 draw the same each time: a draw may hide an error, and luck is to decide nothing."""
    numbers = itertools.count()

    def ends(*args: Any, **options: Any) -> Any:
        return ends_in_threads(*args, keys=partial(agree_on_keys, insecure_fixed_seed=next(numbers)), **options)

    monkeypatch.setattr(tampering, "ends_in_threads", ends)
