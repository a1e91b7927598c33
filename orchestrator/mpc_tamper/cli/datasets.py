"""mpc-tamper datasets: what there is to train on, and what a task holds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mpc_tamper.cli import console
from mpc_tamper.cli.data_options import CategoryOption, FillOption, IgnoreOption, LabelOption, TableOptions
from mpc_tamper.cli.options import ClassesOption, DownloadOption, RootOption, with_options
from mpc_tamper.core.pixels import MAX_PIXEL

if TYPE_CHECKING:
    from mpc_tamper.datasets.task import Task

_NAMES = 12  # of features that are shown
_UNEVEN = 10  # times the rows of the rarest class

app = typer.Typer(help="List and check data sets.", no_args_is_help=True)


@app.command("list")
def list_datasets() -> None:
    """List what --data accepts."""
    from mpc_tamper.datasets.load import BUNDLES, COLLECTIONS, DOWNLOADS

    for name, bundled in BUNDLES.items():
        console.say(f"{name:<13}  {bundled.title}")
    for name, collection in COLLECTIONS.items():
        console.say(f"{name:<13}  {collection.title}, in torchvision's layout below --root (default: {DOWNLOADS})")
    console.say("FOLDER         MNIST, Fashion-MNIST or CIFAR-10 in torchvision's layout, or their files")
    console.say("FILE.csv       a table, also .tsv and .parquet, with a column of classes that --label names")
    console.say("FILE.npz       x_train (m, n) uint8, y_train (m,) uint8 labels 0, 1, ..., x_test, y_test")


@app.command()
@with_options(TableOptions)
def inspect(
    options: TableOptions,
    data: Annotated[str, typer.Argument(help="A name from the list, a folder, an .npz file, or a table.")],
    classes: ClassesOption = None,
    root: RootOption = None,
    download: DownloadOption = False,
) -> None:
    """Read and check a data set, and say what it holds."""
    task = options.task_of(data, classes, root, download=download)
    console.say(f"name         {task.name}")
    console.say(f"source       {task.source}")
    console.say(f"sha256       {task.sha256}")
    if task.is_table:
        names = ", ".join(task.feature_names[:_NAMES]) + (", ..." if len(task.feature_names) > _NAMES else "")
        console.say(f"features     {len(task.feature_names):,}: {names}")
    else:
        console.say(f"image shape  {' x '.join(map(str, task.image_shape))}")
    kind = "rows" if task.is_table else "images"
    for part, y in (("training", task.y_train), ("test", task.y_test)):
        counts = [f"{(y == label).sum():,} of class {label} ({name})" for label, name in enumerate(task.classes)]
        console.say(f"{part:<11}  {len(y):,} {kind}: {', '.join(counts)}")
    least, largest = int(task.x_train.min()), int(task.x_train.max())
    console.say(
        f"{'levels' if task.is_table else 'pixels':<11}  {least} to {largest} in training, {int(task.x_test.min())} to "
        f"{int(task.x_test.max())} in test"
    )
    if task.is_table:
        _warn_of_features(task)
    elif least == largest:
        console.warn(f"all pixels of the training images are {least}, so there is nothing to learn from them")
    elif largest <= 1:
        console.warn(f"no pixel is above {largest}; where 1 stands for white, multiply by {MAX_PIXEL}")


@app.command()
def schema(
    tables: Annotated[list[Path], typer.Argument(metavar="FILE...", help="A CSV or Parquet file; of several owners.")],
    label: LabelOption = None,
    fill: FillOption = None,
    category: CategoryOption = None,
    ignore: IgnoreOption = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Write it there, as JSON if it ends in .json. (default: print it)"),
    ] = None,
) -> None:
    """Draft what is public of a table: kinds of columns, ranges, categories, classes. Read and change it before use.

    Owners agree on it before they share anything, and each gives it as --schema with its own file.
    """
    from mpc_tamper.datasets.tables.schema_files import as_toml, write_schema
    from mpc_tamper.datasets.tables.task import Reading, draft_schema

    reading = Reading(label, fill=fill, categories=tuple(category or ()), ignored=tuple(ignore or ()))
    drafted = draft_schema(tables, reading)
    if out is None:
        console.say(as_toml(drafted).rstrip())
        return
    write_schema(out, drafted)
    console.say(f"{out}: {len(drafted.columns)} columns, {len(drafted.feature_names)} features")
    console.note("ranges and categories are those of these rows; widen them before you hand the schema on")


@app.command()
def encode(
    table: Annotated[Path, typer.Argument(metavar="FILE", help="One owner's CSV or Parquet file.")],
    schema: Annotated[Path, typer.Option("--schema", metavar="FILE", help="The schema that the owners agreed on.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE.npz", help="Write x_train, y_train and names there.")],
) -> None:
    """Encode all rows of one owner's table by the schema, as numbers for a training on three hosts or as a client."""
    import io

    import numpy as np

    from mpc_tamper.core.files import write_atomically
    from mpc_tamper.datasets.tables.schema_files import read_schema
    from mpc_tamper.datasets.tables.task import read_labelled

    agreed = read_schema(schema)
    x, y = read_labelled(table, agreed)
    names, classes = np.array(agreed.feature_names), np.array(agreed.classes)
    content = io.BytesIO()
    np.savez_compressed(content, x_train=x, y_train=y, feature_names=names, classes=classes)
    write_atomically(out, content.getvalue())
    console.say(f"{out}: {x.shape[0]:,} rows of {x.shape[1]:,} features")


def _warn_of_features(task: Task) -> None:
    """Of features that teach nothing, and of those by which rows may be told apart."""
    import numpy as np

    still = [
        name
        for name, least, most in zip(task.feature_names, task.x_train.min(0), task.x_train.max(0), strict=True)
        if least == most
    ]
    if still:
        console.warn(
            f"{len(still)} features have one level in all training rows, such as {still[0]}: they teach nothing"
        )
    counts = np.bincount(task.y_train, minlength=len(task.classes))
    if counts.max() >= _UNEVEN * counts.min():
        console.warn(
            f"class {task.classes[int(counts.argmax())]} has {counts.max() / counts.min():.0f} times the rows of class "
            f"{task.classes[int(counts.argmin())]}; an accuracy says little of the rarer one"
        )
