"""mpc-tamper schema."""

from __future__ import annotations

import json
from collections.abc import Callable

from typer.testing import Result

from mpc_tamper.records.registry import SCHEMAS


def test_names_and_json_schemas(invoke: Callable[..., Result]) -> None:
    listed = invoke("schema").stdout.splitlines()[1:]
    assert [line.split()[0] for line in listed] == list(SCHEMAS)
    found = json.loads(invoke("schema", "matrix").stdout)
    assert found["title"] == "mpc-tamper/matrix/1"
    assert set(found["discriminator"]["mapping"]) == {"study", "environment", "configuration", "cell"}
    unknown = invoke("schema", "poem")
    assert unknown.exit_code == 2
    assert "expected one of table1, " in unknown.stderr
