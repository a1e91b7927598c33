"""What the shares of a run folder are, for those who use them later: a public file beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mpc_tamper.core.files import exists
from mpc_tamper.records.folders import MODEL
from mpc_tamper.runs.protocols import ProtocolName

FILE = "model.json"


@dataclass(frozen=True)
class ModelDescription:
    """model: its name in the registry.  features: of a row.  shares: how many the model is.

    image_shape: of the images that it was trained on, as Task.image_shape; None where rows are no images.
    feature_names: of a table, where the rows were a table's.
    protocol: of the shares.  passive: somewhere in the training a corrupt server could add errors.
    of_clients: the rows were those of clients outside the servers.
    classes: how many there are.  architecture: see Model.architecture.
    """

    model: str
    features: int
    shares: int
    protocol: ProtocolName = ProtocolName.RING
    passive: bool = True
    of_clients: bool = False
    image_shape: tuple[int, ...] | None = None
    classes: int = 2
    architecture: Mapping[str, int] = field(default_factory=dict)
    feature_names: tuple[str, ...] = ()

    @property
    def unit(self) -> str:
        return "feature" if self.feature_names else "pixel"

    def write(self, run_dir: Path) -> None:
        MODEL.write(run_dir / FILE, asdict(self), indent=1)

    @classmethod
    def read(cls, run_dir: Path) -> ModelDescription | None:
        """None where the folder has none. Raises DataError for one of another shape."""
        path = run_dir / FILE
        if not exists(path):
            return None
        fields = MODEL.read(path)
        with MODEL.fitting(path):
            return cls(
                fields["model"],
                fields["features"],
                fields["shares"],
                ProtocolName(fields["protocol"]),
                fields["passive"],
                fields["of_clients"],
                read_shape(fields),
                fields.get("classes", 2),
                fields.get("architecture", {}),
                tuple(fields.get("feature_names", ())),
            )


def read_shape(fields: Mapping[str, Any]) -> tuple[int, ...] | None:
    """image_shape of a file's fields."""
    shape = fields.get("image_shape")
    return None if shape is None else tuple(shape)
