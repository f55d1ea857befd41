from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cmp_to_key
from typing import Any

import pytest
from django.db import connection
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from spine.kit.errors import DomainError
from spine.kit.keyset import Key, Ordering, Orderings, paginate
from tests.rest.sample.models import Base, Child, Owner

START = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
COLUMNS = ["impact", "opened_at", "closed_at", "title", "owner__name"]


def ordering(*keys: str) -> Ordering:
    return Ordering("test", tuple(Key.parse(key) for key in keys))


def plain_sort(rows: list[dict[str, Any]], keys: tuple[str, ...]) -> list[int]:
    """The oracle: Python's sort, knowing nothing of SQL."""

    def compare(left: dict[str, Any], right: dict[str, Any]) -> int:
        for spelling in keys:
            name, *words = spelling.split()
            down = name.startswith("-")
            a, b = left[name.lstrip("-")], right[name.lstrip("-")]
            first = words[1] == "first" if words else down
            if a is None or b is None:
                if a is not b:
                    return (-1 if a is None else 1) * (1 if first else -1)
            elif a != b:
                return (-1 if a < b else 1) * (-1 if down else 1)
        return 0

    return [row["id"] for row in sorted(rows, key=cmp_to_key(compare))]


key_lists = st.lists(
    st.tuples(
        st.sampled_from(COLUMNS),
        st.sampled_from(["", "-"]),
        st.sampled_from(["", " nulls first", " nulls last"]),
    ),
    max_size=3,
    unique_by=lambda key: key[0],
).flatmap(
    lambda keys: st.sampled_from(["id", "-id"]).map(
        lambda last: (*(f"{sign}{name}{nulls}" for name, sign, nulls in keys), last)
    )
)
few_rows = st.lists(
    st.tuples(
        st.integers(1, 2),
        st.integers(0, 2),
        st.one_of(st.none(), st.integers(0, 1)),
        st.sampled_from(["a", "b"]),
        st.one_of(st.none(), st.sampled_from(["x", "y"])),
    ),
    max_size=14,
)


def make(rows: list[tuple[Any, ...]], offset: int = 0) -> None:
    owners = {o.name: o for o in Owner.objects.all()}
    for index, (impact, opened, closed, title, owner) in enumerate(rows):
        if owner and owner not in owners:
            owners[owner] = Owner.objects.create(name=owner, username=owner)
        Base.objects.create(
            number=f"N{offset + index}",
            impact=impact,
            opened_at=START + timedelta(microseconds=opened),
            closed_at=None if closed is None else START + timedelta(days=closed),
            title=title,
            owner=owners[owner] if owner else None,
        )


def values() -> list[dict[str, Any]]:
    return list(Base.objects.values("id", *COLUMNS))


@pytest.mark.usefixtures("sample_tables")
class TestAgainstPlainSort(TestCase):
    @settings(max_examples=120, deadline=None)
    @given(rows=few_rows, keys=key_lists, limit=st.integers(1, 5), as_dicts=st.booleans())
    def test_walk_forward_and_back_is_the_full_sort(self, rows, keys, limit, as_dicts):
        make(rows)
        expected = plain_sort(values(), keys)
        queryset: Any = Base.objects.select_related("owner")
        if as_dicts:
            queryset = Base.objects.values("id", *COLUMNS)
        order = ordering(*keys)

        def ids(page):
            return [row["id"] if as_dicts else row.id for row in page.rows]

        pages = [paginate(queryset, order, limit=limit)]
        assert pages[0].previous is None
        while pages[-1].next:
            pages.append(paginate(queryset, order, limit=limit, cursor=pages[-1].next))
            assert ids(pages[-1]), "a next address led to nothing"
        assert [i for page in pages for i in ids(page)] == expected

        back = [pages[-1]]
        while back[-1].previous:
            back.append(paginate(queryset, order, limit=limit, cursor=back[-1].previous))
            assert back[-1].next is not None
        assert [i for page in reversed(back) for i in ids(page)] == expected

    @settings(max_examples=60, deadline=None)
    @given(rows=few_rows, more=few_rows, keys=key_lists, limit=st.integers(1, 4))
    def test_inserts_in_between_skip_and_repeat_nothing(self, rows, more, keys, limit):
        make(rows)
        old = {row["id"] for row in values()}
        order = ordering(*keys)
        page = paginate(Base.objects.select_related("owner"), order, limit=limit)
        seen = [row.id for row in page.rows]
        make(more, offset=100)
        while page.next:
            page = paginate(
                Base.objects.select_related("owner"), order, limit=limit, cursor=page.next
            )
            seen += [row.id for row in page.rows]
        assert len(seen) == len(set(seen))
        if rows and len(old) > limit:
            assert old <= set(seen)
        assert seen == [i for i in plain_sort(values(), keys) if i in set(seen)]

    @settings(max_examples=30, deadline=None)
    @given(rows=few_rows, keys=key_lists)
    def test_an_emptied_page_leads_back(self, rows, keys):
        make([*rows, (1, 0, None, "a", None), (2, 1, 1, "b", "x")])
        order = ordering(*keys)
        expected = plain_sort(values(), keys)
        first = paginate(Base.objects.all(), order, limit=len(expected) - 1)
        Base.objects.filter(id=expected[-1]).delete()
        empty = paginate(Base.objects.all(), order, limit=3, cursor=first.next)
        assert empty.rows == []
        assert empty.next is None
        back = paginate(Base.objects.all(), order, limit=100, cursor=empty.previous)
        assert [row.id for row in back.rows] == expected[:-1]


def fill(count: int) -> None:
    Owner.objects.create(username="o", name="o")
    parents = Base.objects.bulk_create(
        Base(
            number=f"F{i}",
            title="t",
            impact=i % 3 + 1,
            opened_at=START + timedelta(minutes=i % (count // 3)),
            closed_at=START + timedelta(minutes=i) if i % 2 else None,
        )
        for i in range(count)
    )
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO rest_sample_child (base_ptr_id, note) SELECT id, '' FROM rest_sample_base"
        )
        cursor.execute("ANALYZE rest_sample_base")
        cursor.execute("ANALYZE rest_sample_child")
    assert len(parents) == count


def plans(django_assert_num_queries_context) -> list[str]:
    found = []
    for query in django_assert_num_queries_context.captured_queries:
        with connection.cursor() as cursor:
            cursor.execute("EXPLAIN " + query["sql"])
            found.append("\n".join(row[0] for row in cursor.fetchall()))
    return found


@pytest.mark.parametrize(
    ("keys", "index", "queries"),
    [
        (("opened_at", "id"), "sample_opened", 1),
        (("-opened_at", "-id"), "sample_opened", 1),
        (("-closed_at", "-id"), "sample_closed", 1),
        (("impact", "-opened_at", "id"), "sample_mixed", 3),
    ],
)
@pytest.mark.parametrize("model", [Base, Child])
def test_a_deep_page_is_one_index_range(
    sample, django_assert_max_num_queries, keys, index, queries, model
):
    fill(3000)
    order = ordering(*keys)
    deep = list(model.objects.order_by(*[k.order_by() for k in order.keys]))[1500]
    from spine.kit.keyset import Cursor, encode

    cursor = encode(
        Cursor("test", tuple(getattr(deep, key.lstrip("-").split()[0]) for key in keys))
    )
    with django_assert_max_num_queries(queries) as context:
        page = paginate(model.objects.all(), order, limit=5, cursor=cursor)
    assert len(page.rows) == 5
    for plan in plans(context):
        assert index in plan, plan
        assert "Index Cond" in plan, plan
        assert "Sort" not in plan, plan
        assert "Filter" not in plan, plan


def test_nulls_last_reads_the_empty_ones_in_a_second_range(sample, django_assert_num_queries):
    fill(60)
    order = ordering("closed_at", "id")
    page = paginate(Base.objects.all(), order, limit=29)
    with django_assert_num_queries(2):
        page = paginate(Base.objects.all(), order, limit=5, cursor=page.next)
    assert [row.closed_at is None for row in page.rows] == [False, True, True, True, True]


@pytest.mark.parametrize("spoil", ["x", "é", "AAAA", "", "=" * 9, "\ud800"])
def test_a_cursor_not_ours_is_refused(sample, spoil):
    fill(30)
    order = ordering("opened_at", "id")
    good = paginate(Base.objects.all(), order, limit=5).next
    assert good
    bad = good[:-3] + spoil if spoil else good[:-2]
    with pytest.raises(DomainError) as refused:
        paginate(Base.objects.all(), order, limit=5, cursor=bad)
    assert refused.value.code == "bad_cursor"
    with pytest.raises(DomainError):
        paginate(Base.objects.all(), Ordering("other", order.keys), limit=5, cursor=good)


def test_orderings_are_a_whitelist():
    orderings = Orderings({"-opened_at": ("-opened_at", "-id"), "impact": ("impact", "id")})
    assert orderings.get(None).name == "-opened_at"
    assert orderings.get("impact").keys[0] == Key("impact")
    with pytest.raises(DomainError) as refused:
        orderings.get("password")
    assert refused.value.code == "unknown_ordering"
    assert "-opened_at, impact" in refused.value.message


def test_a_column_that_is_not_there_is_a_programming_error(sample):
    with pytest.raises(ValueError, match="no column nowhere"):
        paginate(Base.objects.all(), ordering("nowhere", "id"), limit=1)
