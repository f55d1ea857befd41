"""The sweep takes this database's orphans alone, few at a time, and not for ever."""

from __future__ import annotations

import logging
import os
import time
import uuid

import pytest

from itsm.doctor import checks
from spine.threads import actions, installation
from spine.threads.models import Installation, Thread
from spine.threads.tasks import sweep_orphans
from tests.threads import files

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def folder(tmp_path, settings):
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": tmp_path},
        },
    }
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


@pytest.fixture
def logged(caplog):
    logger = logging.getLogger("evenkeel.threads")
    logger.addHandler(caplog.handler)
    yield caplog
    logger.removeHandler(caplog.handler)


def orphan(folder, number, *, name="ab"):
    path = folder / name / f"{number:032x}"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"orphan")
    os.utime(path, (time.time() - 7200,) * 2)
    return path


def test_the_files_of_another_database_stay(folder, logged):
    """One checkout, once on the embedded database and once on a server, with one folder."""
    installation.claim(folder)
    theirs = orphan(folder, 1)
    Installation.objects.all().delete()  # as another database has it: none, or another one
    assert sweep_orphans() == 0
    installation.own_id()
    assert sweep_orphans() == 0
    assert sweep_orphans(force=True) == 0
    assert theirs.exists()
    assert "holds files of another database" in logged.text
    assert logged.records[0].levelno == logging.ERROR
    finding = checks.storage()
    assert finding.state == "failed"
    assert "another database" in finding.detail


def test_a_database_that_stores_into_the_folder_of_another_is_listed(
    caller, folder, django_capture_on_commit_callbacks
):
    stranger = uuid.uuid4()
    (folder / ".installation").write_text(f"{stranger}\n")
    with django_capture_on_commit_callbacks(execute=True):
        actions.store_attachment(
            actor=caller, thread=Thread.objects.create(), file=files.upload("a.txt", b"a")
        )
    # So the other one's sweep leaves this file alone, too.
    assert installation.listed(folder) == {str(stranger), installation.own_id()}


def test_an_orphan_waits_in_the_trash_for_thirty_days(folder, time_machine):
    path = orphan(folder, 1)
    assert sweep_orphans() == 1
    assert not path.exists()
    (kept,) = folder.glob(f".trash/*/ab/{path.name}")
    assert kept.read_bytes() == b"orphan"
    assert sweep_orphans() == 0
    day = kept.parents[1]
    day = day.rename(day.with_name("2026-01-10"))
    time_machine.move_to("2026-02-09T12:00:00Z", tick=False)
    sweep_orphans()
    assert day.exists()
    time_machine.move_to("2026-02-10T12:00:00Z", tick=False)
    sweep_orphans()
    assert not day.exists()


def test_many_orphans_at_once_are_not_believed(folder, logged):
    paths = [orphan(folder, number) for number in range(51)]
    assert sweep_orphans() == 0
    assert all(path.exists() for path in paths)
    assert "51 of 51 files" in logged.text
    assert sweep_orphans(force=True) == 51


def test_a_tenth_of_the_files_is_swept(folder):
    for number in range(54):
        os.utime(orphan(folder, number))  # too young to be orphans
    for number in range(6):
        orphan(folder, number, name="cd")
    assert sweep_orphans() == 6


def test_what_a_restore_left_is_not_swept_but_told(folder):
    kept = folder / ".restore-x" / "replaced"
    kept.mkdir(parents=True)
    (kept / "old").write_text("old")
    os.utime(kept / "old", (1, 1))
    assert sweep_orphans(0) == 0
    assert (kept / "old").exists()
    assert checks.storage().state == "warning"


def test_a_restored_database_owns_the_folder(folder):
    (folder / ".installation").write_text(f"{uuid.uuid4()}\n")
    installation.take_over(folder)
    assert installation.listed(folder) == {installation.own_id()}
    assert checks.storage().state != "failed"
