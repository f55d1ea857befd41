"""`backup` and `restore` on the real schema: a ticket, its history and a file come back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.platform import Platform

MAKE = """
from pathlib import Path
from django.conf import settings
from django.core.management import call_command
from incidents.actions import open_incident
from spine.people.models import Organization, User
call_command("migrate", verbosity=0)
home, _ = Organization.objects.get_or_create(code="home", defaults={"name": "Northwind Rail"})
mei = User.objects.create(username="mei", name="Mei Chen", organization=home, sort_key="mei")
open_incident(actor=mei, values={"title": "打印机坏了", "description": "no ink", "impact": 2,
                                 "urgency": 2, "channel": "portal"})
from spine.threads import installation
installation.take_over(Path(settings.MEDIA_ROOT))
(Path(settings.MEDIA_ROOT) / "screen.png").write_bytes(b"PNG")
call_command("backup", "%s")
"""
# A write after the restore proves that sequences, triggers and the audit trail go on.
USE = """
from django.conf import settings
from django.core.management import CommandError, call_command
from itsm.doctor import checks
from incidents.actions import open_incident
from spine.people.models import User
from spine.tickets.models import Ticket
call_command("restore", "%s")
new = open_incident(actor=User.objects.get(username="mei"), values={"title": "again",
    "description": "", "impact": 2, "urgency": 2, "channel": "portal"})
print("new:", new.number)
call_command("audit", "verify")
try:
    call_command("restore", "%s")
except CommandError as error:
    print("refused:", error)
(settings.MEDIA_ROOT / ".installation").write_text("another")
assert checks.storage().state == "failed"
call_command("restore", "%s", "--force")
assert checks.storage().state != "failed"
print("titles:", [ticket.title for ticket in Ticket.objects.all()])
"""


@pytest.mark.timeout(400)
def test_round_trip_by_command(make_folder: Callable[[], Path], tmp_path: Path) -> None:
    old, new = Platform(make_folder()), Platform(make_folder())
    archive = tmp_path / "backup.tar.gz"
    made = old.manage("shell", "--command", MAKE % archive).stdout
    assert "1 attachments" in made
    used = new.manage("shell", "--command", USE.replace("%s", str(archive))).stdout
    assert "new: INC0010002" in used
    assert "refused: There is data here already" in used
    assert "titles: ['打印机坏了']" in used
    assert (new.data_dir / "attachments" / "screen.png").read_bytes() == b"PNG"
    # The id came with the database.
    ids = [one.data_dir / "attachments" / ".installation" for one in (old, new)]
    assert ids[0].read_text() == ids[1].read_text()
