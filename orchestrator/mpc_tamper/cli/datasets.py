"""mpc-tamper datasets: what there is to train on, and what a task holds."""

from __future__ import annotations

from typing import Annotated

import typer

from mpc_tamper.cli import console
from mpc_tamper.cli.options import ClassesOption, DownloadOption, RootOption, chosen_classes
from mpc_tamper.core.pixels import MAX_PIXEL

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
    console.say("FILE.npz       x_train (m, n) uint8, y_train (m,) uint8 labels 0, 1, ..., x_test, y_test")


@app.command()
def inspect(
    data: Annotated[str, typer.Argument(help="A name from the list, a folder, or an .npz file.")],
    classes: ClassesOption = None,
    root: RootOption = None,
    download: DownloadOption = False,
) -> None:
    """Read and check a data set, and say what it holds."""
    from mpc_tamper.datasets import load_task

    task = load_task(data, classes=chosen_classes(classes), root=root, download=download)
    console.say(f"name         {task.name}")
    console.say(f"source       {task.source}")
    console.say(f"sha256       {task.sha256}")
    console.say(f"image shape  {' x '.join(map(str, task.image_shape))}")
    for part, y in (("training", task.y_train), ("test", task.y_test)):
        counts = [f"{(y == label).sum():,} of class {label} ({name})" for label, name in enumerate(task.classes)]
        console.say(f"{part:<11}  {len(y):,} images: {', '.join(counts)}")
    least, largest = int(task.x_train.min()), int(task.x_train.max())
    console.say(
        f"pixels       {least} to {largest} in training, {int(task.x_test.min())} to {int(task.x_test.max())} in test"
    )
    if least == largest:
        console.warn(f"all pixels of the training images are {least}, so there is nothing to learn from them")
    elif largest <= 1:
        console.warn(f"no pixel is above {largest}; where 1 stands for white, multiply by {MAX_PIXEL}")
