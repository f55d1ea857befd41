"""A real process, killed in the middle with SIGKILL, goes on where it stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from django.db import connection

from incidents.models import Incident
from spine.people.models import Organization, User
from spine.tickets.importing.mapping import parse
from spine.tickets.importing.runs import run_import
from spine.tickets.models import HistoryEvent, ImportRun
from tests.importing.conftest import EVENTS, HEADER, event, everything, life

ROOT = Path(__file__).resolve().parents[2]
TICKETS = 2_500


def _start(
    file: Path, map_file: Path, rejects: Path, environment: dict[str, str]
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(ROOT / "manage.py"), "import_tickets", str(file),
         "--map", str(map_file), "--rejects", str(rejects)],
        cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def _wait_for_first_batch(process: subprocess.Popen[str]) -> int:
    """Returns the position once a batch is in; fails if the process ends before."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        run = ImportRun.objects.order_by("-id").first()
        if run is not None and run.position:
            return run.position
        if process.poll() is not None:
            out, err = process.communicate()
            raise AssertionError(f"ended before a batch was in: {out} {err}")
        time.sleep(0.01)
    raise AssertionError("no batch in 120 s")


@pytest.mark.django_db(transaction=True)
@pytest.mark.timeout(300)
def test_killed_in_the_middle_and_started_again_equals_an_unbroken_run(
    tmp_path: Path, child_environment: dict[str, str]
) -> None:
    Organization.objects.create(code="home", name="Home")
    rows = [row for n in range(TICKETS) for row in life(f"T{n:05}", caller=f"Caller {n % 90}")]
    rows[700:700] = ["T0,ragged", event("T00001", 9, "Nonsense")]
    rows.append(event("T99999", 0, "Nonsense"))
    file, map_file = tmp_path / "events.csv", tmp_path / "map.yaml"
    file.write_text("\n".join([HEADER, *rows]) + "\n")
    map_file.write_text(EVENTS)
    rejects = tmp_path / "rejects.csv"

    process = _start(file, map_file, rejects, child_environment)
    position = _wait_for_first_batch(process)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    there = Incident.objects.count()
    assert 0 < there < TICKETS
    assert HistoryEvent.objects.count() == there * 5
    assert ImportRun.objects.get().state == ImportRun.State.RUNNING

    again = _start(file, map_file, rejects, child_environment)
    out, err = again.communicate(timeout=240)
    assert again.returncode == 0, err
    assert "went on at row" in out
    assert f"{TICKETS:,} created, 0 updated, 0 unchanged, 3 rows rejected" in out
    assert len(rejects.read_text().splitlines()) == 4
    run = ImportRun.objects.get()
    assert (run.state, run.created) == (ImportRun.State.DONE, TICKETS)
    assert run.position > position
    broken = everything()

    with connection.cursor() as cursor:
        cursor.execute("select set_config('evenkeel.operation', 'test', false)")
        cursor.execute("truncate tickets_ticket cascade")
        cursor.execute("truncate tickets_importrun")
        cursor.execute("select set_config('evenkeel.operation', '', false)")
    run_import(actor=User.objects.system(), path=file, mapping=parse(EVENTS.encode()))
    assert everything() == broken
