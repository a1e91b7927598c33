"""Options that say what data a command works on, and how they become a source of data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mpc_tamper.cli.options import chosen_classes

if TYPE_CHECKING:
    from mpc_tamper.datasets.source import DataSource
    from mpc_tamper.datasets.task import Task

_PANEL = "Tables"
DATA_METAVAR = "NAME|FILE|DIR"
LabelOption = Annotated[
    str | None,
    typer.Option(
        "--label", metavar="COLUMN", help="The column of a table that holds the classes.", rich_help_panel=_PANEL
    ),
]
SchemaOption = Annotated[
    Path | None,
    typer.Option(
        "--schema",
        metavar="FILE",
        help="What is public of a table's columns; see mpc-tamper datasets schema. (default: taken from the rows)",
        rich_help_panel=_PANEL,
    ),
]
CategoryOption = Annotated[
    list[str] | None,
    typer.Option(
        "--category",
        metavar="COLUMN",
        help="A column of numbers that are categories; repeatable.",
        rich_help_panel=_PANEL,
    ),
]
IgnoreOption = Annotated[
    list[str] | None,
    typer.Option("--ignore", metavar="COLUMN", help="A column to leave out; repeatable.", rich_help_panel=_PANEL),
]
FillOption = Annotated[
    str | None,
    typer.Option(
        "--fill",
        metavar="mean|median|most-frequent|VALUE",
        help="Fill missing values, from the training rows. (default: refuse them)",
        rich_help_panel=_PANEL,
    ),
]
OwnerDataOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--owner-data",
        metavar="FILE",
        help="The table of owner 1, and then of owner 2, where --data is owner 0's.",
        rich_help_panel=_PANEL,
    ),
]


@dataclass(frozen=True)
class TableOptions:
    """How tables are read: of all commands that are given data."""

    label: LabelOption = None
    schema: SchemaOption = None
    test_data: Annotated[
        Path | None,
        typer.Option(
            "--test-data",
            metavar="FILE",
            help="Another table, whose rows are those to test with. (default: a share of each class)",
            rich_help_panel=_PANEL,
        ),
    ] = None
    test_share: Annotated[
        float,
        typer.Option("--test-share", help="The share of each class that is kept for tests.", rich_help_panel=_PANEL),
    ] = 0.25
    split_seed: Annotated[
        int, typer.Option("--split-seed", min=0, help="The seed that draws those rows.", rich_help_panel=_PANEL)
    ] = 0
    fill: FillOption = None
    category: CategoryOption = None
    ignore: IgnoreOption = None

    def source(
        self, data: str, classes: str | None = None, root: Path | None = None, owner_data: Sequence[Path] | None = None
    ) -> DataSource:
        from mpc_tamper.datasets.source import DataSource
        from mpc_tamper.datasets.tables.task import Reading

        reading = Reading(
            self.label,
            self.schema,
            self.test_data,
            self.test_share,
            self.split_seed,
            self.fill,
            tuple(self.category or ()),
            tuple(self.ignore or ()),
        )
        return DataSource(
            data,
            chosen_classes(classes),
            None if root is None else str(root),
            tuple(map(str, owner_data or ())),
            reading,
        )

    def task_of(
        self, data: str, classes: str | None = None, root: Path | None = None, *, download: bool = False
    ) -> Task:
        return self.source(data, classes, root).load(download=download)

    def of_run(
        self, shares: Path, data: str | None, classes: str | None = None, root: Path | None = None
    ) -> DataSource | None:
        """What a trained model is tested on: what is given, else what its run remembers; None where that is nothing.

        Rows of other tables than the training's are read by the schema of the run, unless another one is given.
        """
        from mpc_tamper.core.files import is_file
        from mpc_tamper.datasets.source import DataSource
        from mpc_tamper.datasets.tables.files import is_table
        from mpc_tamper.datasets.tables.schema_files import FILE

        schema = self.schema or (shares / FILE if is_file(shares / FILE) else None)
        known = DataSource.of_run(shares) if data is None else None
        if known is not None and self.test_data is not None and schema is not None:
            return known.tested_on(self.test_data, schema)
        if data is None:
            return known
        source = self.source(data, classes, root)
        return source if schema is None or not is_table(Path(data)) else source.with_schema(schema)
