"""Is one of our patches in an MP-SPDZ tree, and which version is it? Answered by git blob hashes, file by file.

When a file differs, a patch without context lines silently applies in the wrong place. The hashes of each touched file
before and after it (patches/NAME.json) leave no doubt. Where versions differ in a touched file, each has a patch.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from mpc_tamper.core import bundle

_MARK = b"additive_errors"  # in every binary built from a patched tree: its symbols


class Patch(StrEnum):
    """What patches are for. Each is patches/NAME.patch, and VARIANTS of it for other versions."""

    ADDITIVE_ERROR = "additive-error"
    ZERO_CHECK = "sy-rep-ring-zero-check"


VARIANTS: Mapping[Patch, tuple[str, ...]] = {
    Patch.ADDITIVE_ERROR: ("additive-error", "additive-error-3a0a7b1d"),
    Patch.ZERO_CHECK: ("sy-rep-ring-zero-check",),  # the file is the same in both versions
}


class PatchState(StrEnum):
    ABSENT = "absent"  # every touched file is v0.4.2's: the patch can be applied
    APPLIED = "applied"
    FOREIGN = "foreign"  # a touched file is neither


@dataclass(frozen=True)
class PatchReport:
    """differing: the files that are neither the version's nor the patch's or, of a half-applied patch, the unpatched.

    version: which one the files are of, patched or not; the first one where they are of none.  path: of its patch.
    """

    state: PatchState
    differing: tuple[str, ...] = ()
    version: str = ""
    path: Path = Path()


def patch_path(variant: str) -> Path:
    return bundle.root() / "patches" / f"{variant}.patch"


def expected_blobs(variant: str) -> Mapping[str, tuple[str | None, str]]:
    """Path in MP-SPDZ's tree -> blob hash before (None: no such file) and after the patch."""
    return {path: (blobs["before"], blobs["after"]) for path, blobs in _record(variant)["files"].items()}


def report(home: Path, patch: Patch) -> PatchReport:
    """Of the version that the tree is, as far as the touched files tell."""
    found = []
    for variant in VARIANTS[patch]:
        seen = inspect_sources(home, expected_blobs(variant))
        found.append(replace(seen, version=_record(variant)["version"], path=patch_path(variant)))
    return min(found, key=lambda each: (each.state is PatchState.FOREIGN, len(each.differing)))


def _record(variant: str) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(patch_path(variant).with_suffix(".json").read_text(encoding="utf-8"))
    return record


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
