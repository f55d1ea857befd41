"""One row per ticket."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from incidents.models import Incident
from spine.tickets.importing.mapping import parse
from spine.tickets.importing.runs import Summary
from spine.tickets.models import HistoryEvent

pytestmark = pytest.mark.django_db

MAPPING = """
kind: incident
source: sheet
key: id
zone: Asia/Shanghai
fields:
  title: {column: what}
  description: text
  caller: who
  opened_at: when
  state: {column: state}
  service: service
"""


def test_rows_become_tickets_with_zone_and_service(
    tmp_path: Path, load: Callable[..., Summary]
) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(
        "id,what,text,who,when,state,service\n"
        "1,Printer jams,Tray 2,Anna,2026-03-01T09:00:00,new,Printing\n"
        "2,Mail slow,,Ben,2026-03-01T09:00:00+00:00,in_progress,\n"
        "1,Again the first,,Anna,2026-03-02T09:00:00,new,\n"
        "3,,no title,Anna,2026-03-02T09:00:00,new,\n"
    )
    summary = load(path, mapping=parse(MAPPING.encode()))
    assert (summary.created, summary.rejected) == (2, 2)
    first = Incident.objects.get(external_id="1")
    assert first.title == "Printer jams"
    assert first.opened_at.isoformat() == "2026-03-01T01:00:00+00:00"
    assert first.service is not None
    assert first.service.name == "Printing"
    assert Incident.objects.get(external_id="2").opened_at.hour == 9
    assert not HistoryEvent.objects.exists()
    reasons = dict(summary.first_rejects)
    assert reasons[4] == "Line 2 has this ticket already."
    assert reasons[5] == "The ticket has no title."
