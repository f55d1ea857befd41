"""Conditions: SQL and Python give the same answer for every condition and every record."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spine.kit.conditions import compile_predicate, compile_q, validate
from spine.kit.errors import DomainError
from spine.people.models import Organization, User

TEXT_FIELDS = ("name", "title", "organization__code")
NUMBER_FIELDS = ("manager_id",)
WORDS = ("ann", "Anna", "bob", "an", "x")

leaf = st.one_of(
    st.fixed_dictionaries(
        {
            "field": st.sampled_from(TEXT_FIELDS),
            "op": st.sampled_from(
                ["eq", "ne", "lt", "lte", "gt", "gte", "contains", "starts_with"]
            ),
            "value": st.sampled_from(WORDS),
        }
    ),
    st.fixed_dictionaries(
        {
            "field": st.sampled_from(TEXT_FIELDS),
            "op": st.sampled_from(["in", "not_in"]),
            "value": st.lists(st.sampled_from(WORDS), max_size=3),
        }
    ),
    st.fixed_dictionaries(
        {
            "field": st.sampled_from(TEXT_FIELDS + NUMBER_FIELDS),
            "op": st.sampled_from(["empty", "not_empty"]),
        }
    ),
)
condition = st.recursive(
    st.one_of(leaf, st.just({})),
    lambda inner: st.one_of(
        st.fixed_dictionaries({"all": st.lists(inner, max_size=3)}),
        st.fixed_dictionaries({"any": st.lists(inner, max_size=3)}),
        st.fixed_dictionaries({"not": inner}),
    ),
    max_leaves=6,
)


@pytest.fixture
def records(db: None) -> list[User]:
    organizations = [
        Organization.objects.create(code=code, name=code) for code in ("ann", "bob", "x")
    ]
    people: list[User] = []
    for place, name in enumerate(["ann", "Anna", "bob", "x", "annabob", ""]):
        people.append(
            User.objects.create(
                username=f"u{place}",
                name=name,
                title=["", "an", "bob"][place % 3],
                organization=organizations[place % 3],
                manager=people[0] if place == 4 else None,
            )
        )
    return people


@settings(
    max_examples=250,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(document=condition)
def test_sql_and_python_agree(records: list[User], document: dict[str, Any]) -> None:
    validate(document, TEXT_FIELDS + NUMBER_FIELDS)
    holds = compile_predicate(document)
    by_python = {user.pk for user in records if holds(user)}
    by_sql = set(User.objects.filter(compile_q(document)).values_list("pk", flat=True))
    assert by_sql == by_python


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ([], "condition"),
        ({"all": {}}, "condition"),
        ({"all": [], "any": []}, "condition"),
        ({"all": [{"field": "shoe", "op": "eq", "value": 1}]}, "condition.all[0]"),
        ({"field": "name", "op": "like", "value": "x"}, "condition"),
        ({"field": "name", "op": "in", "value": "x"}, "condition"),
        ({"field": "name", "op": "eq", "value": None}, "condition"),
        ({"field": "name", "op": "eq", "value": ["x"]}, "condition"),
        ({"field": "name", "op": "empty", "value": "x"}, "condition"),
        ({"field": "name", "op": "contains", "value": 7}, "condition"),
        ({"field": "name", "op": "eq", "value": "x", "note": 1}, "condition"),
        ({"not": {"any": [{"field": 1}]}}, "condition.not.any[0]"),
    ],
)
def test_a_bad_condition_is_named_by_its_place(document: Any, path: str) -> None:
    with pytest.raises(DomainError) as caught:
        validate(document, TEXT_FIELDS)
    assert caught.value.field == path


def test_deep_nesting_is_refused() -> None:
    document: dict[str, Any] = {}
    for _level in range(40):
        document = {"not": document}
    with pytest.raises(DomainError):
        validate(document, TEXT_FIELDS)
