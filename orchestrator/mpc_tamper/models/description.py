"""What the shares of a run folder are, for those who use them later: a public file beside them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mpc_tamper.core.errors import UsageError
from mpc_tamper.core.files import write_atomically
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
        write_atomically(run_dir / FILE, json.dumps(asdict(self), indent=1) + "\n", public=True)

    @classmethod
    def read(cls, run_dir: Path) -> ModelDescription | None:
        """None where the folder has none. Raises UsageError for one that does not read."""
        path = run_dir / FILE
        try:
            fields = json.loads(path.read_text(encoding="utf-8"))
            return cls(
                str(fields["model"]),
                int(fields["features"]),
                int(fields["shares"]),
                ProtocolName(fields["protocol"]),
                bool(fields["passive"]),
                bool(fields["of_clients"]),
                read_shape(fields),
                int(fields.get("classes", 2)),
                {str(name): int(value) for name, value in fields.get("architecture", {}).items()},
                tuple(map(str, fields.get("feature_names", ()))),
            )
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as exc:
            raise UsageError(
                f"{path}: expected the description that a training leaves with its shares: {exc!r}; train again"
            ) from exc


def read_shape(fields: Mapping[str, Any]) -> tuple[int, ...] | None:
    """image_shape of a file's fields. Raises ValueError or TypeError."""
    shape = fields.get("image_shape")
    return None if shape is None else tuple(int(length) for length in shape)
