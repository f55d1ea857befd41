"""Real servers in data folders of their own; nothing here touches the checkout's `.data`."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from itsm import embedded
from itsm.embedded.process import alive
from tests.runtime.harness import User, pids, stopped, wait_for


@contextlib.contextmanager
def _folders() -> Iterator[Callable[[], Path]]:
    made: list[Path] = []

    def make() -> Path:
        # Not tmp_path: that one is closed to the account that root lends to PostgreSQL.
        folder = Path(tempfile.mkdtemp(prefix="evenkeel-test-")).resolve()
        folder.chmod(0o711)
        made.append(folder)
        return folder

    yield make
    for folder in made:
        for pid in pids(folder).values():
            if alive(pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        shutil.rmtree(embedded.paths(folder).socket_dir, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def make_folder() -> Iterator[Callable[[], Path]]:
    with _folders() as make:
        yield make


@pytest.fixture(scope="session")
def fresh_cluster() -> Iterator[Path]:
    """A data folder whose cluster was made once; copying it is cheaper than initdb each time."""
    with _folders() as make:
        folder = make() / "data"
        user = User(folder)
        user.ready()
        user.leave()
        wait_for(lambda: stopped(folder))
        yield folder


@pytest.fixture
def data_dir(make_folder: Callable[[], Path], fresh_cluster: Path) -> Path:
    folder = make_folder() / "data"
    folder.mkdir()
    folder.chmod(0o711)
    subprocess.run(["cp", "-a", str(fresh_cluster / "postgres"), str(folder)], check=True)
    return folder
