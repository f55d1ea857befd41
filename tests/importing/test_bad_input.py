"""Whatever stands in a file: an answer with its line and reason, never a crash."""

from __future__ import annotations

import csv
import gzip
import json
import lzma
import zipfile
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from incidents.models import Incident
from spine.people.models import User
from spine.tickets.importing.delimited import DelimitedReader
from spine.tickets.importing.encoding import detect
from spine.tickets.importing.errors import MappingError, SourceError
from spine.tickets.importing.mapping import parse
from spine.tickets.importing.runs import Summary
from spine.tickets.importing.source import Row, SourceFile
from tests.importing.conftest import EVENTS, HEADER, event, life

pytestmark = pytest.mark.django_db

Load = Callable[..., Summary]
Write = Callable[..., Path]

CHINESE = {"caller": "张伟", "group": "网络组", "category": "办公软件", "sub": "无法打开邮件附件"}
GERMAN = {"caller": "Jürgen Groß", "group": "Büro Süd", "category": "Drucker", "sub": "Gerät über"}


@pytest.mark.parametrize(
    ("encoding", "mark", "words", "told"),
    [
        ("utf-8", "", CHINESE, "utf-8"),
        ("utf-8", "\ufeff", CHINESE, "utf-8-sig"),
        ("utf-16", "", CHINESE, "utf-16"),
        ("utf-16-le", "", GERMAN, "utf-16-le"),
        ("utf-16-be", "", GERMAN, "utf-16-be"),
        ("gb18030", "", CHINESE, "gb18030"),
        ("latin-1", "", GERMAN, "latin-1"),
        ("cp1252", "", {**GERMAN, "sub": "„Gerät“ – 5 €"}, "cp1252"),
    ],
)
def test_encodings_are_told_from_the_bytes(
    write: Write, load: Load, encoding: str, mark: str, words: dict[str, str], told: str
) -> None:
    rows = [row for n in range(20) for row in life(f"T{n}", **words)]
    summary = load(write(*rows, encoding=encoding, mark=mark))
    assert summary.encoding == told
    assert (summary.created, summary.rejected) == (20, 0)
    incident = Incident.objects.first()
    assert incident is not None
    assert incident.caller.name == words["caller"]
    assert incident.category is not None
    assert incident.category.name == words["category"]


def test_chinese_far_behind_plain_text_is_still_told(tmp_path: Path) -> None:
    path = tmp_path / "late.csv"
    path.write_bytes(b"a,b\n" + b"plain,text\n" * 60_000 + "张伟,网络故障\n".encode("gb18030"))
    assert detect(SourceFile(path)) == "gb18030"


def test_a_wrong_encoding_in_the_mapping_is_an_error_with_its_line(
    write: Write, load: Load
) -> None:
    own = parse((EVENTS + "file: {encoding: utf-8}\n").encode())
    path = write(event(), event("T2", **CHINESE), encoding="gb18030")
    with pytest.raises(SourceError, match="is not utf-8"):
        load(path, mapping=own)
    assert not Incident.objects.exists()


def test_broken_rows_are_rejected_with_line_and_reason(
    write: Write, load: Load, tmp_path: Path
) -> None:
    rejects = tmp_path / "rejects.csv"
    rows = [
        event("T1"),                                       # 2
        'T2,0,"never closed,x',                            # 3
        event("T3"),                                       # 4
        "T4,too,short",                                    # 5
        event("T5") + ",and,more",                         # 6
        event("T6", at="31/2/2016 09:00"),                 # 7
        event("T7", state="Lost"),                         # 8
        event("T8", impact="huge"),                        # 9
        event("T9", at="1/3/2016 09:00", mod="first"),     # 10
        event("T10", room="x" * 3000),                     # 11
        event("?"),                                        # 12
        event("T12", caller="nul\x00"),                    # 13
        event("T13", opened="?"),                          # 14
        event("T14", moves="-1"),                          # 15
        event("T15", kept="perhaps"),                      # 16
        event("T16", at="?"),                              # 17
        event("N" * 300),                                  # 18
        '"T18"x,0',                                        # 19
        event("T19"),                                      # 20
    ]  # fmt: skip
    summary = load(write(*rows), rejects=rejects)
    assert set(Incident.objects.values_list("external_id", flat=True)) == {"T1", "T3", "T19"}
    with rejects.open(encoding="utf-8", newline="") as stream:
        told = {int(row["line"]): row for row in csv.DictReader(stream)}
    assert sorted(told) == [3, *range(5, 20)]
    assert summary.rejected == len(told)
    codes = {line: row["code"] for line, row in told.items()}
    assert codes == {
        3: "quoting", 5: "ragged", 6: "ragged", 7: "bad_date", 8: "unknown_value",
        9: "not_a_number", 10: "not_a_number", 11: "too_long", 12: "bad_key", 13: "nul",
        14: "required", 15: "out_of_range", 16: "unknown_value", 17: "required", 18: "bad_key",
        19: "quoting",
    }  # fmt: skip
    assert told[7]["column"] == "at"
    assert all(row["reason"] for row in told.values())
    assert json.loads(told[8]["row"])["state"] == "Lost"


def test_quoted_values_may_span_lines_and_an_open_quote_costs_one_line(tmp_path: Path) -> None:
    path = tmp_path / "quotes.csv"
    path.write_text('a,b\n1,"two\nlines ""quoted"""\n2,"open\n3,fine\n4,"also, fine"\n5,5" disk\n')
    reader = DelimitedReader(SourceFile(path), "utf-8", None)
    rows = list(reader.rows())
    good = {row.line: row.values for row in rows if isinstance(row, Row)}
    assert good == {
        2: ["1", 'two\nlines "quoted"'],
        5: ["3", "fine"],
        6: ["4", "also, fine"],
        7: ["5", '5" disk'],
    }
    assert [row.line for row in rows if not isinstance(row, Row)] == [4]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters_are_told(tmp_path: Path, delimiter: str) -> None:
    path = tmp_path / "data.csv"
    path.write_text(f"one{delimiter}two{delimiter}three\r\n1{delimiter}2{delimiter}3\r\n")
    assert DelimitedReader(SourceFile(path), "utf-8", None).columns == ["one", "two", "three"]


def test_a_line_without_end_costs_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    path.write_text("a,b\n1,2\n" + "x" * 3_000_000 + ",y\n3,4\n")
    rows = list(DelimitedReader(SourceFile(path), "utf-8", None).rows())
    assert [type(row).__name__ for row in rows] == ["Row", "Unreadable", "Row"]
    assert rows[1].line == 3


@pytest.mark.parametrize("content", [b"", b"\n\n", b"  \n"])
def test_an_empty_file_is_one_clear_line(tmp_path: Path, load: Load, content: bytes) -> None:
    path = tmp_path / "empty.csv"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=r"empty\.csv is empty"):
        load(path)


def test_a_header_alone_is_no_error(write: Write, load: Load) -> None:
    summary = load(write())
    assert (summary.rows, summary.created, summary.rejected) == (0, 0, 0)


def test_a_missing_or_double_column_stops_before_any_row(write: Write, load: Load) -> None:
    own = parse(EVENTS.replace("room: room", "room: chamber").encode())
    with pytest.raises(MappingError, match="no column “chamber”") as error:
        load(write(event()), mapping=own)
    assert error.value.field == "custom.room"
    path = write(event() + ",x")
    path.write_text(path.read_text().replace("problem\n", "problem,room\n", 1))
    with pytest.raises(MappingError, match="several columns “room”"):
        load(path)
    assert not Incident.objects.exists()


def test_a_ticket_with_too_many_events_does_not_fill_memory(
    write: Write, load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    from spine.tickets.importing import runs, staging

    monkeypatch.setattr(runs, "MAX_EVENTS", 20)
    monkeypatch.setattr(staging, "ROWS_PER_PAGE", 30)
    rows = [event("T1", mod) for mod in range(100)]
    summary = load(write(*rows, event("A"), event("Z")))
    assert (summary.created, summary.rejected) == (2, 100)
    assert set(Incident.objects.values_list("external_id", flat=True)) == {"A", "Z"}


@pytest.mark.parametrize("packer", [gzip.compress, lzma.compress])
def test_packed_files_are_read_as_they_are_and_damaged_ones_told(
    write: Write, load: Load, tmp_path: Path, packer: Callable[[bytes], bytes]
) -> None:
    plain = write(*life("T1")).read_bytes()
    packed = tmp_path / "events.csv.packed"
    packed.write_bytes(packer(plain))
    assert load(packed).created == 1
    packed.write_bytes(packer(plain * 50)[:-30])
    with pytest.raises(SourceError, match="damaged"):
        load(packed)


def test_json_lines(tmp_path: Path, load: Load) -> None:
    names = HEADER.split(",")
    records = [dict(zip(names, row.split(","), strict=True)) for row in life("T1")]
    lines = [json.dumps(record) for record in records]
    lines[1:1] = ["{broken", "[1, 2]", json.dumps({**records[0], "room": ["a"]}), "{}"]
    path = tmp_path / "events.jsonl"
    path.write_text("\n".join(lines) + "\n")
    summary = load(path)
    assert summary.created == 1
    assert [line for line, _reason in summary.first_rejects] == [2, 3, 4, 5]


def _workbook(rows: list[list[object]], path: Path) -> Path:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    book.save(path)
    return path


def test_workbooks(tmp_path: Path, load: Load) -> None:
    import datetime as dt

    rows: list[list[object]] = [list(HEADER.split(","))]
    for line in life("T1"):
        cells: list[object] = list(line.split(","))
        cells[2] = dt.datetime(2016, 3, 1, 9, int(str(cells[1])))
        cells[1] = int(str(cells[1]))
        rows.append(cells)
    summary = load(_workbook(rows, tmp_path / "events.xlsx"))
    assert (summary.created, summary.rejected, summary.encoding) == (1, 0, "")


def test_a_zip_bomb_and_a_false_workbook_are_refused(tmp_path: Path, load: Load) -> None:
    bomb = tmp_path / "bomb.xlsx"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b"0" * 60_000_000)
    assert bomb.stat().st_size < 100_000
    with pytest.raises(SourceError, match="more than is safe"):
        load(bomb)
    false = tmp_path / "false.xlsx"
    false.write_bytes(b"PK\x03\x04 not really")
    with pytest.raises(SourceError, match="not an XLSX"):
        load(false)
    empty = BytesIO()
    with zipfile.ZipFile(empty, "w") as archive:
        archive.writestr("readme.txt", "no sheets")
    false.write_bytes(empty.getvalue())
    with pytest.raises(SourceError, match="not an XLSX"):
        load(false)


def test_a_missing_file_is_one_clear_line(tmp_path: Path, load: Load) -> None:
    with pytest.raises(SourceError, match="no such file"):
        load(tmp_path / "nowhere.csv")


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(content=st.binary(max_size=400))
def test_no_bytes_crash_the_reader(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "any.csv"
    path.write_bytes(content)
    with suppress(SourceError):
        file = SourceFile(path, "csv")
        reader = DelimitedReader(file, detect(file), None)
        for row in reader.rows():
            assert row.line >= 1


_CELL = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00\r"), max_size=12)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows=st.lists(st.lists(_CELL, min_size=3, max_size=3), max_size=8))
def test_what_the_csv_module_writes_is_read_back(tmp_path: Path, rows: list[list[str]]) -> None:
    path = tmp_path / "round.csv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["a", "b", "c"])
        writer.writerows(rows)
    reader = DelimitedReader(SourceFile(path), "utf-8", None)
    assert [row.values for row in reader.rows() if isinstance(row, Row)] == rows


def test_the_command_says_it_in_one_line_and_leaves_no_trace(
    write: Write, tmp_path: Path, home: object
) -> None:
    from django.core.management import CommandError, call_command

    map_file = tmp_path / "map.yaml"
    map_file.write_text(EVENTS.replace("opened_at: opened", "opend_at: opened"))
    with pytest.raises(CommandError, match=r"^map\.yaml: fields\.opend_at: There is no such"):
        call_command("import_tickets", str(write(event())), f"--map={map_file}")
    assert not User.objects.filter(external_source="other-desk").exists()
