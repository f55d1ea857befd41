"""A backup comes back whole, is proved before use, and a failed restore changes nothing."""

from __future__ import annotations

import errno
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
    with Archive(backup, attachments=attachments) as archive, archive.swapped_attachments():
        database.replace_with(archive.dump)
    assert (
        psql(data_dir, "select title from ticket order by id") == "Drucker geht nicht\n打印机坏了"
    )
    assert psql(data_dir, "select what from entry") == "opened"
    assert psql(data_dir, "select to_regclass('newer') is null") == "t"
    assert psql(data_dir, "select count(*) from pg_trigger where tgname = 'no_change'") == "2"
    assert (attachments / "2026" / "screen.png").read_bytes() == before
    assert not (attachments / "later.txt").exists()
    assert [p.name for p in attachments.iterdir()] == ["2026"]
    assert [p.name for p in attachments.parent.iterdir()] == ["attachments"]


@pytest.fixture
def mount_point(attachments: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The attachments' folder as a volume is: neither renamed itself nor left by a rename."""
    rename = Path.rename

    def guarded(source: Path, target: Path) -> Path:
        if attachments in (source, Path(target)):
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), str(source))
        if source.is_relative_to(attachments) != Path(target).is_relative_to(attachments):
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), str(source))
        return rename(source, target)

    monkeypatch.setattr(Path, "rename", guarded)
    return attachments


def tree(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_folder_that_is_a_volume(backup: Path, mount_point: Path, database: Database) -> None:
    before = tree(mount_point)
    (mount_point / "2026" / "screen.png").unlink()
    (mount_point / "ab").mkdir()
    (mount_point / "ab" / "later").write_text("later")
    with Archive(backup, attachments=mount_point) as archive, archive.swapped_attachments():
        database.replace_with(archive.dump)
    assert tree(mount_point) == before
    assert [p.name for p in mount_point.iterdir()] == ["2026"]


def test_the_files_come_back_when_the_database_refuses(
    backup: Path, mount_point: Path, database: Database, data_dir: Path
) -> None:
    (mount_point / "2026" / "screen.png").write_bytes(b"of today")
    (mount_point / "later.txt").write_text("later")
    (mount_point / ".installation").write_text("mine")
    before = tree(mount_point)

    def restore() -> None:
        with Archive(backup, attachments=mount_point) as archive, archive.swapped_attachments():
            assert not (mount_point / "later.txt").exists()
            archive.dump.write_bytes(archive.dump.read_bytes()[:-200])
            database.replace_with(archive.dump)

    with pytest.raises(BackupError):
        restore()
    assert tree(mount_point) == before
    assert {p.name for p in mount_point.iterdir()} == {"2026", "later.txt", ".installation"}
    assert psql(data_dir, "select count(*) from ticket") == "2"


def test_a_swap_that_breaks_off_is_undone(
    backup: Path, attachments: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (attachments / "later.txt").write_text("later")
    before = tree(attachments)
    rename = Path.rename

    def stuck(source: Path, target: Path) -> Path:
        if source == attachments / "later.txt":
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), str(source))
        return rename(source, target)

    monkeypatch.setattr(Path, "rename", stuck)
    reached = []

    def restore() -> None:
        with Archive(backup, attachments=attachments) as archive, archive.swapped_attachments():
            reached.append("database")

    with pytest.raises(BackupError, match=r"later\.txt: Device or resource busy"):
        restore()
    assert reached == []
    assert tree(attachments) == before


def test_former_files_that_can_not_be_put_back_are_kept_and_named(
    backup: Path, attachments: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = (attachments / "2026" / "screen.png").read_bytes()

    def stuck(source: Path, _target: Path) -> Path:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(source))

    def restore() -> None:
        with Archive(backup, attachments=attachments) as archive, archive.swapped_attachments():
            monkeypatch.setattr(Path, "rename", stuck)
            raise BackupError("The restore was undone.")

    with pytest.raises(BackupError, match=r"they are in .*/\.restore-.*/replaced"):
        restore()
    (kept,) = attachments.glob(".restore-*/replaced/2026/screen.png")
    assert kept.read_bytes() == content


def test_what_is_no_attachment_is_not_in_a_backup(
    database: Database, attachments: Path, tmp_path: Path
) -> None:
    for name in (".restore-x/replaced/old", ".trash/2026-11-23/ab/abc"):
        (attachments / name).parent.mkdir(parents=True)
        (attachments / name).write_text("no")
    (attachments / ".installation").write_text("no")
    manifest = write_archive(
        tmp_path / "b.tar.gz", database=database, attachments=attachments, facts={}
    )
    assert set(manifest["sha256"]) == {"database.dump", "attachments/2026/screen.png"}


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
    assert [p.name for p in attachments.iterdir()] == ["2026"]


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
