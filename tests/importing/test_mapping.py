"""A mapping is checked in full before a row is read; each mistake names its place."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from spine.tickets.importing.errors import MappingError
from spine.tickets.importing.mapping import load, parse
from tests.importing.conftest import EVENTS

MAPPINGS = Path(__file__).resolve().parents[2] / "demo" / "mappings"


def test_the_shipped_mapping_is_good() -> None:
    mapping = load(MAPPINGS / "incident_events.yaml")
    assert mapping.source == "uci-498"
    assert mapping.events is not None
    assert "cmdb_ci" in mapping.columns


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("kind: incident", "kind: unicorn", "kind"),
        ("kind: incident", "", "kind"),
        ("source: other-desk", "source: Other Desk", "source"),
        ("key: number", "", "key"),
        ("key: number", "key: number\nkeys: number", "keys"),
        ("events: {order: mod,", "events: {sort: mod,", "events.sort"),
        ("at: at,", "", "events.at"),
        ("dates: \"%d/%m/%Y %H:%M\"", "dates: \"%d %H:%M\"", "dates"),
        ("nulls: [\"?\"]", "zone: Europe/Atlantis", "zone"),
        ("  title:", "  titel:", "fields.titel"),
        ("  opened_at: opened\n", "", "fields.opened_at"),
        ("New: new", "New: fresh", "fields.state.values.New"),
        ("hold_reason: awaiting_caller", "hold_reason: awaiting_godot",
         "fields.state.values.Awaiting User Info.hold_reason"),
        ("impact, convert: prefix_number", "impact, convert: guess", "fields.impact.convert"),
        ("column: kept, invert: true", "column: kept, invert: maybe", "fields.breached.invert"),
        ("column: kept, invert: true", "column: kept, inverted: true", "fields.breached.inverted"),
        ("{Phone: phone, Mail: email}", "{Phone: telegraph}", "fields.channel.values.Phone"),
        ("default: phone", "default: Phone", "fields.channel.default"),
        ("  room: room", "  Room No: room", "custom.Room No"),
        ("  room: room", "  room: {column: room, convert: colour}", "custom.room.convert"),
        ("  problem: problem", "  Problem!: problem", "references.Problem!"),
        ("  subcategory: sub\n  channel", "  subcategory: sub\n  subcategory: sub\n  channel",
         "line"),
        ("  category: category\n", "", "fields.subcategory"),
        ("join: [category, sub]", "join: []", "fields.title.join"),
    ],
)  # fmt: skip
def test_each_mistake_names_its_place(old: str, new: str, place: str) -> None:
    assert old in EVENTS
    with pytest.raises(MappingError) as error:
        parse(EVENTS.replace(old, new, 1).encode())
    assert error.value.field is not None
    assert error.value.field.startswith(place)
    assert error.value.message


@pytest.mark.parametrize(
    "text", ["", "[]", "a: [", "a: &x [*x]", "!!python/object/apply:os.system ['true']", "\x00"]
)
def test_what_is_no_mapping_is_refused(text: str) -> None:
    with pytest.raises(MappingError):
        parse(text.encode())


def test_file_settings() -> None:
    for file, place in (
        ({"format": "pdf"}, "file.format"),
        ({"delimiter": ";;"}, "file.delimiter"),
        ({"delimiter": '"'}, "file.quote"),
        ({"colour": "red"}, "file.colour"),
    ):
        with pytest.raises(MappingError) as error:
            parse((EVENTS + yaml.safe_dump({"file": file})).encode())
        assert error.value.field == place
    good = parse((EVENTS + yaml.safe_dump({"file": {"delimiter": ";"}})).encode())
    assert good.dialect is not None
    assert good.dialect.delimiter == ";"
