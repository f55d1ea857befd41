"""One migrated data folder is made per run and copied for each test."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from itsm import embedded
from tests.faults.platform import Platform
from tests.runtime.harness import stopped, wait_for


def _folder() -> Path:
    # Not tmp_path: root lends PostgreSQL an account that can't reach it.
    folder = Path(tempfile.mkdtemp(prefix="evenkeel-faults-")).resolve()
    folder.chmod(0o711)
    return folder


@pytest.fixture(scope="session")
def migrated() -> Iterator[Path]:
    folder = _folder()
    platform = Platform(folder)
    try:
        for step in (["migrate", "--no-input"], ["collectstatic", "--no-input"]):
            platform.manage(*step, "--verbosity", "0")
        wait_for(lambda: stopped(folder))
        yield folder
    finally:
        platform.destroy()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def platform(migrated: Path) -> Iterator[Platform]:
    folder = _folder()
    for part in ("postgres", "static"):
        subprocess.run(["cp", "-a", str(migrated / part), str(folder)], check=True)
    made = Platform(folder)
    yield made
    made.destroy()
    shutil.rmtree(embedded.paths(folder).socket_dir, ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)
