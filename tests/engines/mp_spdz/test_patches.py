"""The patches on the sources of the release that they are for, taken from the tree's own history."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from mpc_tamper.engines.mp_spdz.installation import Installation
from mpc_tamper.engines.mp_spdz.patch_state import VARIANTS, PatchState, expected_blobs, inspect_sources, patch_path


@pytest.mark.parametrize("patch", [variant for variants in VARIANTS.values() for variant in variants])
def test_a_patch_applies_and_gives_the_expected_files(installation: Installation, tmp_path: Path, patch: str) -> None:
    for path, (before, _) in expected_blobs(patch).items():
        if before is not None:
            blob = subprocess.run(["git", "cat-file", "blob", before], cwd=installation.home, capture_output=True)
            if blob.returncode:
                pytest.skip(f"needs a git clone of MP-SPDZ with the version of {patch} in it, to take {path} from")
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_bytes(blob.stdout)
    assert inspect_sources(tmp_path, expected_blobs(patch)).state is PatchState.ABSENT
    apply = ["git", "apply", "--unidiff-zero", str(patch_path(patch))]
    subprocess.run(apply, cwd=tmp_path, check=True)
    assert inspect_sources(tmp_path, expected_blobs(patch)).state is PatchState.APPLIED
    subprocess.run([*apply, "-R"], cwd=tmp_path, check=True)
    assert inspect_sources(tmp_path, expected_blobs(patch)).state is PatchState.ABSENT
