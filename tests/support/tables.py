"""Small tables that tests train on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd


def people(rows: int = 60, seed: int = 3) -> pd.DataFrame:
    """Two classes, told apart by age and by colour; a rare colour, a boolean, and a column that hardly varies."""
    rng = np.random.default_rng(seed)
    ill = np.arange(rows) % 2
    colour = np.where(ill == 1, "red", "blue").astype(object)
    colour[::20] = "green"
    return pd.DataFrame(
        {
            "age": (20 + 40 * ill + rng.integers(0, 15, rows)).astype(int),
            "height": np.round(1.5 + rng.random(rows) / 2, 3),
            "smokes": rng.random(rows) < 0.5,
            "colour": colour,
            "state": np.where(ill == 1, "ill", "well"),
        }
    )


def write_people(path: Path, rows: int = 60, seed: int = 3) -> Path:
    people(rows, seed).to_csv(path, index=False)
    return path
