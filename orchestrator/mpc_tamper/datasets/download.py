"""Fetch MNIST, Fashion-MNIST and CIFAR-10 through torchvision, where that extra is installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from mpc_tamper.core.errors import DataError, EngineUnavailable


def download_mnist(root: Path) -> None:
    """Leave MNIST/raw below root."""
    datasets = _torchvision_datasets()
    with _reported("MNIST", root):
        datasets.MNIST(str(root), train=True, download=True)


def download_fashion_mnist(root: Path) -> None:
    """Leave FashionMNIST/raw below root."""
    datasets = _torchvision_datasets()
    with _reported("Fashion-MNIST", root):
        datasets.FashionMNIST(str(root), train=True, download=True)


def download_cifar10(root: Path) -> None:
    """Leave cifar-10-batches-py below root.

    Through torchvision's archive function, which compares the MD5 sum: its CIFAR10 class would unpickle the batches.
    """
    datasets = _torchvision_datasets()
    with _reported("CIFAR-10", root):
        datasets.utils.download_and_extract_archive(
            datasets.CIFAR10.url, str(root), filename=datasets.CIFAR10.filename, md5=datasets.CIFAR10.tgz_md5
        )


def _torchvision_datasets() -> ModuleType:
    try:
        from torchvision import datasets
    except ImportError as exc:
        raise EngineUnavailable(
            "expected torchvision for a download, got no such package; pip install mpc-tamper[torchvision], "
            "or name a folder or an .npz file that holds the data"
        ) from exc
    return datasets


@contextmanager
def _reported(title: str, root: Path) -> Iterator[None]:
    """Map what a download raises to DataError."""
    try:
        root.mkdir(parents=True, exist_ok=True)
        yield
    except (OSError, RuntimeError) as exc:
        raise DataError(
            f"expected to download {title} to {root}, got {exc}; check the network, or name a folder that holds it"
        ) from exc
