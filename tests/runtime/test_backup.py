"""A backup comes back whole, is proved before use, and a failed restore changes nothing."""

from __future__ import annotations

import io
import json
import os
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from itsm import embedded
from itsm.backup import Archive, BackupError, Database, write_archive
from tests.runtime.harness import User, psql

ROWS = """
create table ticket (id int primary key, title text);
insert into ticket values (1, 'Drucker geht nicht'), (2, '打印机坏了');
create table entry (at date, what text) partition by range (at);
create table entry_2026 partition of entry for values from ('2026-01-01') to ('2027-01-01');
insert into entry values ('2026-05-01', 'opened');
create function refuse() returns trigger language plpgsql as 'begin raise exception ''no''; end';
create trigger no_change before update or delete on entry for each row execute function refuse();
"""


@pytest.fixture
def database(data_dir: Path) -> Iterator[Database]:
    user = User(data_dir)
    user.ready()
    psql(data_dir, ROWS)
    host = str(embedded.paths(data_dir).postgres_socket_dir)
    yield Database("evenkeel", user="evenkeel", host=host)
    user.leave()


@pytest.fixture
def attachments(make_folder: Callable[[], Path]) -> Path:
    folder = make_folder() / "attachments"
    (folder / "2026").mkdir(parents=True)
    (folder / "2026" / "screen.png").write_bytes(os.urandom(200_000))
    return folder


@pytest.fixture
def backup(database: Database, attachments: Path, tmp_path: Path) -> Path:
    target = tmp_path / "backup.tar.gz"
    write_archive(target, database=database, attachments=attachments, facts={"migrations": []})
    return target


def test_round_trip(backup: Path, database: Database, data_dir: Path, attachments: Path) -> None:
    assert backup.stat().st_mode & 0o777 == 0o600
    before = (attachments / "2026" / "screen.png").read_bytes()
    psql(data_dir, "delete from ticket; create table newer (x int)")
    (attachments / "2026" / "screen.png").write_bytes(b"overwritten")
    (attachments / "later.txt").write_text("later")
    with Archive(backup, attachments=attachments) as archive:
        database.replace_with(archive.dump)
        archive.swap_attachments()
    assert (
        psql(data_dir, "select title from ticket order by id") == "Drucker geht nicht\n打印机坏了"
    )
    assert psql(data_dir, "select what from entry") == "opened"
    assert psql(data_dir, "select to_regclass('newer') is null") == "t"
    assert psql(data_dir, "select count(*) from pg_trigger where tgname = 'no_change'") == "2"
    assert (attachments / "2026" / "screen.png").read_bytes() == before
    assert not (attachments / "later.txt").exists()
    assert [p.name for p in attachments.parent.iterdir()] == ["attachments"]


def test_a_failed_restore_leaves_the_old_rows(
    database: Database, data_dir: Path, tmp_path: Path, backup: Path
) -> None:
    with Archive(backup, attachments=tmp_path / "elsewhere") as archive:
        whole = archive.dump.read_bytes()
        archive.dump.write_bytes(whole[: len(whole) - 200])
        with pytest.raises(BackupError):
            database.replace_with(archive.dump)
    assert psql(data_dir, "select count(*) from ticket") == "2"


def test_a_damaged_archive_is_refused(backup: Path, attachments: Path, tmp_path: Path) -> None:
    changed = tmp_path / "changed.tar.gz"
    with tarfile.open(backup) as old, tarfile.open(changed, "w:gz") as new:
        for member in old:
            content = old.extractfile(member)
            assert content is not None
            data = content.read()
            if member.name == "database.dump":
                data = data[:-1] + bytes([data[-1] ^ 1])
            new.addfile(member, io.BytesIO(data))
    with (
        pytest.raises(BackupError, match=r"database\.dump has another checksum"),
        Archive(changed, attachments=attachments),
    ):
        pass
    assert [p.name for p in attachments.parent.iterdir()] == ["attachments"]


def test_a_cut_archive_is_refused(backup: Path, attachments: Path) -> None:
    backup.write_bytes(backup.read_bytes()[:-5000])
    with (
        pytest.raises(BackupError, match="no whole backup"),
        Archive(backup, attachments=attachments),
    ):
        pass


def test_a_path_that_leads_outside_is_refused(attachments: Path, tmp_path: Path) -> None:
    evil = tmp_path / "evil.tar.gz"
    with tarfile.open(evil, "w:gz") as tar:
        for name in ("attachments/../../../../outside", "manifest.json"):
            data = json.dumps({"format": 1, "sha256": {}}).encode()
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    with pytest.raises(BackupError), Archive(evil, attachments=attachments):
        pass


def test_any_other_file_is_refused(attachments: Path, tmp_path: Path) -> None:
    other = tmp_path / "notes.txt"
    other.write_text("not an archive")
    with (
        pytest.raises(BackupError, match="no whole backup"),
        Archive(other, attachments=attachments),
    ):
        pass
    with pytest.raises(BackupError, match="does not exist"):
        Archive(tmp_path / "absent", attachments=attachments).__enter__()


def test_sessions_and_emptiness_are_seen(database: Database, data_dir: Path) -> None:
    assert not database.is_empty()
    assert database.other_sessions() == 0
    psql(data_dir, "drop schema public cascade; create schema public")
    assert database.is_empty()
