"""The page: one HTML file of a folder of records, which needs nothing else and asks nothing of any network.

A Content-Security-Policy within it forbids every request, and names the one script and the one style sheet by their
hashes. All that records say is escaped.
"""

from __future__ import annotations

import base64
import hashlib
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from mpc_tamper.core.errors import DataError
from mpc_tamper.core.files import is_folder, what_is, write_atomically
from mpc_tamper.report.costs import COSTS_JSON
from mpc_tamper.report.costs import tables as cost_tables
from mpc_tamper.report.page import costs, sections
from mpc_tamper.report.page.introduction import read_introduction
from mpc_tamper.report.page.markdown import Piece, tables
from mpc_tamper.report.page.matrix import COMMAND as MATRIX_COMMAND
from mpc_tamper.report.page.matrix import read_matrices
from mpc_tamper.report.page.records import Missing, read_json, told_of

PAGE = "report.html"
_COSTS_COMMAND = "make costs"
_COST_CAPTIONS = {"engine": "All runs"}
_PACKAGE = "mpc_tamper.report.page"


def write_page(folder: Path, out: Path) -> None:
    """Raises DataError for a folder that is none, or a record that is damaged; then nothing is written."""
    write_atomically(out, page(folder), public=True)


def page(folder: Path) -> str:
    """The HTML of a folder's records; what is missing is said where it would be."""
    if not is_folder(folder):
        raise DataError(f"{folder}: expected a folder of records, got {what_is(folder)}; make them: make reproduce")
    record = read_json(folder, COSTS_JSON, _COSTS_COMMAND)
    priced: costs.Costs | None = None
    cost_pieces: list[Piece] = []
    if not isinstance(record, Missing):
        with told_of(folder / COSTS_JSON, _COSTS_COMMAND):
            priced = costs.view(record)
            cost_pieces = list(tables(cost_tables(record), _COST_CAPTIONS, "Costs"))
    matrices = read_matrices(folder)
    style, script = _asset("page.css"), _asset("page.js")
    return (
        _environment()
        .get_template("page.html")
        .render(
            version=version("mpc-tamper"),
            folder=folder.resolve().name,
            introduction=read_introduction(),
            table1=sections.table1(folder),
            matrices=matrices,
            matrix_missing=Missing("matrix.jsonl", MATRIX_COMMAND),
            networks=sections.of_networks(folder),
            leaks=sections.leaks(folder),
            costs=priced,
            costs_missing=Missing(COSTS_JSON, _COSTS_COMMAND),
            cost_pieces=cost_pieces,
            speed=sections.speed(folder),
            accuracy=sections.defaults(folder),
            audit=sections.audit(folder),
            data={"cells": matrices.details, "costs": None if priced is None else priced.data},
            style=style,
            script=script,
            policy=_policy(style, script),
        )
    )


def _environment() -> Environment:
    loader = PackageLoader(_PACKAGE)
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


def _asset(name: str) -> Markup:
    """Our own text, which goes into the page as it is."""
    return Markup(files(_PACKAGE).joinpath("templates", name).read_text(encoding="utf-8"))


def _policy(style: str, script: str) -> str:
    """Nothing is fetched, sent or framed; the one style sheet and the one script are known by their hashes."""
    return (
        f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; img-src data:; base-uri 'none'; "
        "form-action 'none'"
    )


def _hash(text: Any) -> str:
    digest = hashlib.sha256(str(text).encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"
