"""The kit by itself: what it reads, what it refuses, how it remembers and counts."""

from __future__ import annotations

import io
import json
import logging
from typing import ClassVar
from uuid import uuid4

import pytest
import redis
from django.db import OperationalError, connection
from django.http import QueryDict
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.exceptions import ParseError

from spine.kit.db import QueryTooSlow, estimate_count, statement_timeout
from spine.kit.errors import DomainError, InvalidInput
from spine.rest import conditions, moments, ratelimit
from spine.rest.filters import (
    Choice,
    FilterSet,
    Flag,
    Moment,
    Number,
    Reference,
    Text,
    apply_strictly,
)
from spine.rest.parsers import loads, read_limited
from spine.rest.problems import TooLarge
from spine.rest.rendering import canonical, dumps
from tests.rest.sample.models import Base, Owner

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(json_values)
def test_what_is_json_is_read_as_python_reads_it(value):
    assert loads(json.dumps(value).encode()) == value
    assert loads(json.dumps(value, ensure_ascii=False).encode()) == value


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "malformed"),
        (b"{", "malformed"),
        (b"nope", "malformed"),
        (b"{} {}", "malformed"),
        (b'{"a": NaN}', "malformed"),
        (b'{"a": -Infinity}', "malformed"),
        (b"\xff\xfe", "malformed"),
        (b'{"a": "\\ud800"}', "malformed"),
        (b'{"\\ud800": 1}', "malformed"),
        (b'{"a": "x\\u0000"}', "nul_character"),
        (b'{"a\\u0000": 1}', "nul_character"),
        (b'{"a": "\x00"}', "malformed"),
        (b'{"a": 1, "a": 2}', "repeated_member"),
        (b'{"a": 9223372036854775808}', "out_of_range"),
        (b'{"a": 1e999}', "out_of_range"),
        (b'{"a": ' + b"9" * 5000 + b"}", "out_of_range"),
        (b"[" * 100 + b"]" * 100, "too_deep"),
        (b"[" * 100_000, "too_deep"),
        (b'{"a":' * 70 + b"1" + b"}" * 70, "too_deep"),
    ],
)
def test_hostile_json_is_refused_with_its_reason(raw, code):
    with pytest.raises(ParseError) as refused:
        loads(raw)
    assert refused.value.detail.code == code


def test_an_escaped_backslash_is_no_nul():
    assert loads(rb'{"a": "C:\\u0000x"}') == {"a": "C:\\u0000x"}


def test_the_body_is_limited_whatever_it_announces(settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100
    assert read_limited(io.BytesIO(b"x" * 100), None) == b"x" * 100
    with pytest.raises(TooLarge):
        read_limited(io.BytesIO(b"x" * 101), None)


def test_canonical_bytes_ignore_the_order_of_members():
    assert canonical({"b": 1, "a": [1, {"d": 1, "c": 2}]}) == canonical(
        {"a": [1, {"c": 2, "d": 1}], "b": 1}
    )
    assert dumps({"b": 1, "a": 2}) == b'{"b":1,"a":2}'


# --- conditions ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "version"), [(None, None), ("", None), ("*", None), ('"7"', 7), (' "7" ', 7)]
)
def test_if_match_names_a_version(header, version):
    assert conditions.expected_version(header) == version


@pytest.mark.parametrize("header", ["7", 'W/"7"', '"7", "8"', '"x"', '"-1"', '"99999999999"', "é"])
def test_any_other_if_match_matches_nothing(header):
    with pytest.raises(conditions.PreconditionFailed):
        conditions.expected_version(header)


def test_if_none_match_compares_weakly():
    assert conditions.not_modified('"6", W/"7"', '"7"')
    assert conditions.not_modified("*", '"7"')
    assert not conditions.not_modified('"8"', '"7"')
    assert not conditions.not_modified(None, '"7"')


# --- times --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("2026-01-31", "2026-01-31T00:00:00+00:00"),
        ("2026-01-31T09:00:00Z", "2026-01-31T09:00:00+00:00"),
        ("2026-01-31T09:00:00+08:00", "2026-01-31T01:00:00+00:00"),
        ("2026-01-31T09:00:00 08:00", "2026-01-31T01:00:00+00:00"),
        ("2026-01-31 09:00", "2026-01-31T09:00:00+00:00"),
        ("0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00+00:00"),
    ],
)
def test_times_in_addresses(text, read):
    assert moments.parse(text).isoformat() == read


# --- filters ------------------------------------------------------------------------------------


class SampleFilters(FilterSet):
    columns: ClassVar = {
        "number": Text(),
        "title": Text(search=True),
        "impact": Number(minimum=1, maximum=3),
        "opened_at": Moment(),
        "closed_at": Moment(nullable=True),
        "urgent": Flag(column="owner__hidden"),
        "size": Choice(column="title", choices=[("s", "Small"), ("l", "Large")]),
        "owner": Reference(
            rows=lambda user: Owner.objects.filter(hidden=False),
            keys=("username",),
            nullable=True,
            me=True,
        ),
    }


@pytest.fixture
def rows(sample):
    ann = Owner.objects.create(username="ann", name="Ann")
    hidden = Owner.objects.create(username="hidden", name="Hidden", hidden=True)
    for number, impact, owner, day in (("A", 1, ann, 1), ("B", 2, hidden, 2), ("C", 3, None, 3)):
        Base.objects.create(
            number=number,
            title="s" if impact < 3 else "100% l",
            impact=impact,
            owner=owner,
            opened_at=moments.parse(f"2026-01-0{day}"),
            closed_at=moments.parse("2026-02-01") if impact == 1 else None,
        )
    return ann


def found(query: str, user=None) -> str:
    rows = apply_strictly(SampleFilters, QueryDict(query), Base.objects.all(), user=user)
    return "".join(sorted(rows.values_list("number", flat=True)))


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("", "ABC"),
        ("impact=1", "A"),
        ("impact__in=1,3", "AC"),
        ("impact__gt=1&impact__lt=3", "B"),
        ("opened_at__gte=2026-01-02", "BC"),
        ("opened_at__lt=2026-01-02T00:00:00Z", "A"),
        ("closed_at__isnull=true", "BC"),
        ("closed_at__isnull=false", "A"),
        ("owner=ann", "A"),
        ("owner__isnull=true", "C"),
        ("title__icontains=%25", "C"),
        ("urgent=true", "B"),
        ("size=s", "AB"),
        ("number__in=A,B", "AB"),
    ],
)
def test_filters_find(rows, query, numbers):
    assert found(query) == numbers


def test_me_and_ids_name_a_row(rows):
    assert found("owner=me", user=rows) == "A"
    assert found(f"owner__in={rows.uuid},ann") == "A"


@pytest.mark.parametrize(
    ("query", "field", "code"),
    [
        ("impact=x", "impact", "invalid"),
        ("impact=4", "impact", "out_of_range"),
        ("impact=1_0", "impact", "invalid"),
        ("impact=%D9%A1", "impact", "invalid"),
        ("impact=99999999999999999999", "impact", "invalid"),
        ("impact__in=1,,2", "impact__in", "invalid"),
        ("impact__in=1,x", "impact__in", "invalid"),
        ("impact=", "impact", "empty_value"),
        ("impact=1&impact=2", "impact", "repeated_parameter"),
        ("opened_at=yesterday", "opened_at", "invalid"),
        ("opened_at=2026-02-30", "opened_at", "invalid"),
        ("urgent=1", "urgent", "invalid"),
        ("size=m", "size", "invalid_choice"),
        ("owner=nobody", "owner", "unknown_reference"),
        ("owner=hidden", "owner", "unknown_reference"),
        ("owner__in=ann,nobody", "owner__in", "unknown_reference"),
        ("nothing=1", "nothing", "unknown_parameter"),
        ("impact__regex=1", "impact__regex", "unknown_parameter"),
        ("number__in=" + ",".join("x" * 300), "number__in", "too_many_values"),
    ],
)
def test_filters_refuse_by_name(rows, query, field, code):
    with pytest.raises(DomainError) as refused:
        found(query)
    told = refused.value.errors if isinstance(refused.value, InvalidInput) else [refused.value]
    assert [(error.field, error.code) for error in told] == [(field, code)]


# --- database -----------------------------------------------------------------------------------


def test_a_slow_statement_ends_with_a_clear_error(db):
    with (
        pytest.raises(QueryTooSlow) as refused,
        statement_timeout(30),
        connection.cursor() as cursor,
    ):
        cursor.execute("SELECT pg_sleep(5)")
    assert refused.value.status == 503
    with connection.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone()[0] == "0"


def test_the_limit_ends_with_its_block_and_other_errors_pass(db):
    with statement_timeout(5000), connection.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone()[0] == "5s"
    with connection.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone()[0] == "0"
    with pytest.raises(OperationalError), statement_timeout(5000):
        raise OperationalError("another one")


def test_counts_are_exact_and_then_estimated(sample):
    Base.objects.bulk_create(
        Base(number=f"E{i}", title="t", opened_at=moments.parse("2026-01-01")) for i in range(300)
    )
    assert estimate_count(Base.objects.all()) == (300, True)
    assert estimate_count(Base.objects.filter(number="E1")) == (1, True)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE rest_sample_base")
    number, exact = estimate_count(Base.objects.order_by("-opened_at"), exact_up_to=100)
    assert not exact
    assert 101 <= number <= 400


# --- rate limits --------------------------------------------------------------------------------


@pytest.fixture
def counted(settings):
    prefix = f"test-rate-{uuid4()}"
    settings.CACHES = {"default": {**settings.CACHES["default"], "KEY_PREFIX": prefix}}
    yield
    client = redis.Redis.from_url(settings.REDIS_LOCATION)
    for key in client.scan_iter(f"{prefix}:*"):
        client.delete(key)


def test_requests_are_counted_down_and_then_refused(counted):
    left = [ratelimit.take("t", 3) for _ in range(5)]
    assert all(verdict is not None for verdict in left)
    assert [verdict.allowed for verdict in left] == [True, True, True, False, False]
    assert [verdict.remaining for verdict in left] == [2, 1, 0, 0, 0]
    assert left[0].headers()["RateLimit-Policy"] == '"default";q=3;w=60'
    assert left[0].headers()["RateLimit"].startswith('"default";r=2;t=')
    assert 1 <= int(left[3].headers()["Retry-After"]) <= 60
    assert ratelimit.take("another", 3).allowed


def test_without_redis_requests_pass_and_it_is_said_once(settings, monkeypatch, caplog):
    settings.REDIS_LOCATION = "redis://127.0.0.1:1/0"
    monkeypatch.setattr(ratelimit._Outage, "until", 0.0)
    monkeypatch.setattr(ratelimit._Outage, "told", False)
    with caplog.at_level(logging.WARNING, "evenkeel.rest"):
        assert ratelimit.take("t", 1) is None
        monkeypatch.setattr(ratelimit._Outage, "until", 0.0)
        assert ratelimit.take("t", 1) is None
    assert len(caplog.records) == 1
    monkeypatch.setattr(ratelimit._Outage, "until", 0.0)
    monkeypatch.setattr(ratelimit._Outage, "told", False)
