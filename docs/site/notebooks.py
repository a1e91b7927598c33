"""Run the notebooks, which are kept as text, and keep what came out in build/notebooks: `make notebooks`.

The site shows them with their outputs. It takes what was kept where the notebook, the software and its records are
still the same, and runs the others.
"""

import hashlib
import logging
import os
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

ROOT = Path(__file__).parents[2]
NOTEBOOKS = tuple(sorted((ROOT / "docs" / "notebooks").glob("*.nb.py")))
KEPT = ROOT / "build" / "notebooks"
FOLDERS = ("orchestrator/mpc_tamper/**/*.py", "Programs/**/*.mpc", "results/*.json*")
MADE_FROM = "mpc_tamper"  # in the metadata of what is kept
TIMEOUT_SECONDS = 300


def run(path: Path) -> NotebookNode:
    """The notebook with its outputs, which are also kept. Raises CellExecutionError where a cell fails."""
    text = path.read_text(encoding="utf-8")
    notebook = jupytext.reads(text, "py:percent")
    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(
            notebook,
            timeout=TIMEOUT_SECONDS,
            resources={"metadata": {"path": str(path.parent)}},
            extra_arguments=["--log-level=ERROR"],
        )
        client.log.setLevel(logging.WARNING)
        client.execute(env=_environment(folder))
    notebook.metadata[MADE_FROM] = _digest(text)
    KEPT.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, kept_as(path))
    return notebook


def read(text: str) -> NotebookNode:
    """For Sphinx: the notebook of this text with its outputs, kept or new."""
    (path,) = [each for each in NOTEBOOKS if each.read_text(encoding="utf-8") == text]
    kept = kept_as(path)
    if kept.exists():
        notebook = nbformat.read(kept, as_version=4)
        if notebook.metadata.get(MADE_FROM) == _digest(text):
            return notebook
    return run(path)


def name(path: Path) -> str:
    """Without the two endings."""
    return path.name.partition(".")[0]


def kept_as(path: Path) -> Path:
    """Where a notebook is kept with its outputs, for Jupyter and for the site."""
    return KEPT / f"{name(path)}.ipynb"


def _digest(text: str) -> str:
    """Of the notebook, and of the files that its outputs depend on."""
    digest = hashlib.sha256(text.encode())
    for path in sorted(path for pattern in FOLDERS for path in ROOT.glob(pattern)):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _environment(folder: str) -> dict[str, str]:
    """Commands are those of this Python, counts of verdicts are not the user's, and nothing is written to the home."""
    own = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}", "IPYTHONDIR": folder}
    return dict(os.environ) | own | {"MPC_TAMPER_STATE": folder}


def main(names: Iterable[str]) -> None:
    wanted = set(names)
    for path in NOTEBOOKS:
        if not wanted or name(path) in wanted:
            began = time.monotonic()
            run(path)
            print(f"{kept_as(path).relative_to(ROOT)}  {time.monotonic() - began:.1f} s", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
