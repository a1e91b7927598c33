"""Is one of our patches in an MP-SPDZ tree? Answered by git blob hashes, file by file.

When a file differs, a patch without context lines silently applies in the wrong place. The hashes of each touched file
before and after it (patches/NAME.json) leave no doubt.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from mpc_tamper.core import bundle

_MARK = b"additive_errors"  # in every binary built from a patched tree: its symbols


class Patch(StrEnum):
    """The names of patches/NAME.patch."""

    ADDITIVE_ERROR = "additive-error"
    ZERO_CHECK = "sy-rep-ring-zero-check"


class PatchState(StrEnum):
    ABSENT = "absent"  # every touched file is v0.4.2's: the patch can be applied
    APPLIED = "applied"
    FOREIGN = "foreign"  # a touched file is neither


@dataclass(frozen=True)
class PatchReport:
    """differing: the files that are neither v0.4.2's nor the patch's or, of a half-applied patch, the unpatched."""

    state: PatchState
    differing: tuple[str, ...] = ()


def patch_path(patch: Patch) -> Path:
    return bundle.root() / "patches" / f"{patch}.patch"


def expected_blobs(patch: Patch) -> Mapping[str, tuple[str | None, str]]:
    """Path in MP-SPDZ's tree -> blob hash before (None: no such file) and after the patch."""
    record = json.loads(patch_path(patch).with_suffix(".json").read_text(encoding="utf-8"))
    return {path: (blobs["before"], blobs["after"]) for path, blobs in record["files"].items()}


def inspect_sources(home: Path, blobs: Mapping[str, tuple[str | None, str]]) -> PatchReport:
    found = {path: blob_hash(home / path) for path in blobs}
    unpatched = [path for path, (before, _) in blobs.items() if found[path] == before]
    patched = [path for path, (_, after) in blobs.items() if found[path] == after]
    if len(patched) == len(blobs):
        return PatchReport(PatchState.APPLIED)
    if len(unpatched) == len(blobs):
        return PatchReport(PatchState.ABSENT)
    strange = tuple(path for path in blobs if path not in patched and path not in unpatched)
    return PatchReport(PatchState.FOREIGN, strange or tuple(unpatched))


def blob_hash(path: Path) -> str | None:
    """git hash-object of a file, or None where there is none."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def adds_errors(binary: Path) -> bool:
    """Whether a binary was built from sources with the additive-error patch."""
    try:
        return _MARK in binary.read_bytes()
    except OSError:
        return False
