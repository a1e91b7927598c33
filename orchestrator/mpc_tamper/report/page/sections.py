"""The sections of the page but for the matrix and the costs: tables that report makes of records, and pictures."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mpc_tamper.core.files import exists, read_text_file
from mpc_tamper.report import accuracy, bench, leak_membership, leak_reconstruct, leak_row, networks, probing, pruning
from mpc_tamper.report.audit import AUDIT_LINES, AUDIT_MARKDOWN, read_audits
from mpc_tamper.report.leaks import leaks_table
from mpc_tamper.report.page import figures
from mpc_tamper.report.page.figures import Strip
from mpc_tamper.report.page.markdown import Piece, tables
from mpc_tamper.report.page.records import Missing, Record, read_json, told_of
from mpc_tamper.report.table1 import CIFAR10_FILES, FIGURE_2_JSON, FIGURE_JSON, TABLE_JSON
from mpc_tamper.report.tables import markdown_table

_REPRODUCE, _NETWORKS = "make reproduce", 'make reproduce ARGS="--model mlp"'
_ROWS = {"row": "Each chosen row, and what was read of it", "defence": "Against defences"}


@dataclass(frozen=True)
class Block:
    """One record's part of a section. title: "" where the section has this part alone.

    lead: what stands above.  pieces: tables and text.  folded: whether they are shown only when asked for.
    """

    title: str
    missing: Missing | None = None
    pieces: tuple[Piece, ...] = ()
    strips: tuple[Strip, ...] = ()
    folded: bool = False

    @property
    def lead(self) -> list[Piece]:
        """What is said before the first table."""
        return list(itertools.takewhile(lambda piece: piece.kind != "table", self.pieces))

    @property
    def before(self) -> list[Piece]:
        """What comes up to the last table."""
        return list(self.pieces[: self._end])

    @property
    def after(self) -> list[Piece]:
        """Remarks below the tables: how rows were made, and on what machine."""
        return list(self.pieces[self._end :])

    @property
    def _end(self) -> int:
        return max((at + 1 for at, piece in enumerate(self.pieces) if piece.kind == "table"), default=len(self.pieces))


def table1(folder: Path) -> list[Block]:
    blocks = [
        _block(
            folder,
            TABLE_JSON,
            _REPRODUCE,
            markdown_table,
            {"data": "Our models beside the paper's"},
        )
    ]
    for name, command in ((FIGURE_JSON, _REPRODUCE), (FIGURE_2_JSON, f'{_REPRODUCE} ARGS="--cifar10 FILE"')):
        title = "CIFAR-10" if name in CIFAR10_FILES else "MNIST"
        blocks.append(_block(folder, name, command, None, {}, title=title, draw=figures.of_linear_model))
    return blocks


def of_networks(folder: Path) -> list[Block]:
    return [
        _block(
            folder,
            networks.TABLE_JSON,
            _NETWORKS,
            networks.markdown_table,
            {"data": "Networks, honest and with a dormant neuron that one server planted in the first step"},
            title="A backdoor in a network",
        ),
        _block(
            folder,
            networks.FIGURE_JSON,
            _NETWORKS,
            None,
            {},
            title="What the planted neuron sees",
            draw=figures.of_network,
        ),
        _block(
            folder,
            pruning.PRUNING_JSON,
            "mpc-tamper pruning",
            pruning.pruning_table,
            {"defence": "Pruning and tuning, against attackers who do not expect them"},
            title="Pruning",
        ),
    ]


def leaks(folder: Path) -> list[Block]:
    """The table of all leaks first, of the records that are there."""
    row, reconstruct, membership = (f"mpc-tamper leak {name}" for name in ("row", "reconstruct", "membership"))
    files = {
        leak_row.LEAK_ROW_JSON: row,
        leak_reconstruct.LEAK_RECONSTRUCT_JSON: reconstruct,
        leak_membership.LEAK_MEMBERSHIP_JSON: membership,
    }
    found = [read_json(folder, name, command) for name, command in files.items()]
    there = [None if isinstance(record, Missing) else record for record in found]
    blocks = []
    if any(record is not None for record in there):
        with told_of(folder / next(iter(files)), "mpc-tamper leak"):
            text = leaks_table(*there)
        captions = {"defence": "What was read, by defence"}
        blocks.append(Block("What was read, and what stops it", pieces=tuple(tables(text, captions, "Leaks"))))
    return [
        *blocks,
        _block(
            folder,
            leak_row.LEAK_ROW_JSON,
            row,
            leak_row.leak_row_table,
            _ROWS,
            title="A training row, read off an opened linear model",
            draw=figures.of_rows,
            folded=True,
        ),
        _block(
            folder,
            leak_reconstruct.LEAK_RECONSTRUCT_JSON,
            reconstruct,
            leak_reconstruct.leak_reconstruct_table,
            _ROWS,
            title="Training rows, read off one opened network",
            draw=figures.of_rows,
            folded=True,
        ),
        _block(
            folder,
            leak_membership.LEAK_MEMBERSHIP_JSON,
            membership,
            leak_membership.leak_membership_table,
            {"defence": "Members and others that are told rightly"},
            title="Members, told by one label each of a network that stays secret",
            folded=True,
        ),
        _block(
            folder,
            probing.PROBING_JSON,
            "mpc-tamper probe",
            probing.probing_tables,
            {
                "row counts through": "What a verdict tells of one row's label",
                "plane": "How often a flipped gate changes a comparison",
            },
            title="What one verdict tells",
            folded=True,
        ),
    ]


def speed(folder: Path) -> list[Block]:
    captions = {
        "seconds": "Steps and whole trainings, by engine and protocol",
        "step of the SVM, rep3 ring": "Where a step of the SVM spends its time",
        "twice as many": "What twice as much of each size costs",
        "one party's own work, alone in a process": "One party's own work on one thread and on two",
        "product modulo 2^64, one thread": "Products of matrices against the limits of the processor",
        "start-up": "Commands, from start to end",
    }
    return [_block(folder, bench.BENCH_JSON, "make bench", bench.bench_table, captions)]


def defaults(folder: Path) -> list[Block]:
    captions = {"data set": "Test accuracy at default settings, in percent"}
    return [_block(folder, accuracy.ACCURACY_JSON, "make accuracy", accuracy.markdown_table, captions)]


def audit(folder: Path) -> list[Block]:
    """Of audit.md, which the audit makes of audit.jsonl. Raises DataError where a line of the latter is damaged."""
    path, command = folder / AUDIT_MARKDOWN, "mpc-tamper audit"
    if exists(folder / AUDIT_LINES):
        read_audits(folder / AUDIT_LINES)
    if not exists(path):
        return [Block("", missing=Missing(AUDIT_MARKDOWN, command))]
    text = read_text_file(path, "the report of an audit")
    return [Block("", pieces=tuple(tables(text, {}, "What became of the tampered runs")))]


def _block(
    folder: Path,
    name: str,
    command: str,
    table: Callable[[Record], str] | None,
    captions: Mapping[str, str],
    *,
    title: str = "",
    draw: Callable[[Record], Sequence[Strip]] | None = None,
    folded: bool = False,
) -> Block:
    """table: makes Markdown of the record."""
    record = read_json(folder, name, command)
    if isinstance(record, Missing):
        return Block(title, missing=record)
    with told_of(folder / name, command):
        pieces = () if table is None else tuple(tables(table(record), captions, title))
        strips = () if draw is None else tuple(draw(record))
    return Block(title, pieces=pieces, strips=strips, folded=folded)
