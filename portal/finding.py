"""A person's own tickets by what they type: so that nothing is reported twice, and found again."""

from __future__ import annotations

import re
from functools import reduce
from operator import and_, or_

from django.db.models import Case, F, IntegerField, Q, Value, When
from django.db.models.expressions import Combinable
from django.db.models.functions import Left

from incidents.models import Incident
from incidents.querysets import IncidentQuerySet
from spine.people.models import User
from spine.search.tokens import query_grams, tokenize

MAX_TEXT = 200
MAX_TERMS = 12
# Of one's own tickets the newest are looked through, and of each text the beginning: somebody who
# types waits for the answer.
NEWEST = 500
BEGINNING = 1000
_NUMBER = re.compile(r"^(?:[A-Za-z]{2,8})?\d{3,10}$")
# Words that say nothing about the trouble (English; Chinese pairs need none).
_EMPTY = frozenset(
    {
        "a", "am", "an", "and", "are", "as", "at", "be", "been", "but", "by", "can", "cannot",
        "do", "does", "doesn", "don", "for", "from", "had", "has", "have", "how", "i", "if", "in",
        "into", "is", "it", "its", "me", "my", "no", "not", "of", "off", "on", "or", "our", "out",
        "so", "that", "the", "their", "then", "there", "this", "to", "up", "was", "we", "what",
        "when", "where", "which", "while", "who", "why", "will", "with", "would", "you", "your",
    }
)  # fmt: skip


def terms_of(text: str) -> list[str]:
    """What is looked for: words in their short form, Chinese in pairs; each once, in order."""
    tokens = tokenize(text[:MAX_TEXT])
    words = [_short(word) for word in tokens.latin.lower().split()]
    found = [word for word in words if len(word) > 1 and word not in _EMPTY]
    for run in tokens.han:
        found += [run] if len(run) == 1 else query_grams(run)
    return list(dict.fromkeys(found))[:MAX_TERMS]


def _short(word: str) -> str:
    """printers -> printer: the plural is the ending that people vary most."""
    return word[:-1] if len(word) > 4 and word.endswith("s") and not word.endswith("ss") else word


def similar(user: User, text: str, *, limit: int) -> list[Incident]:
    """The person's own tickets that share at least half of the words with the text, best first;
    or those whose number it is."""
    own = Incident.objects.own(user)
    text = text.strip()
    if _NUMBER.match(text):
        return list(_for_rows(own.filter(number__icontains=text).order_by("-opened_at"))[:limit])
    terms = terms_of(text)
    if not terms:
        return []
    newest = own.order_by("-opened_at", "-id").values("pk")[:NEWEST]
    found = (
        Incident.objects.filter(pk__in=newest)
        .annotate(beginning=Left("description", BEGINNING))
        .annotate(hits=_count(terms, both=True), titled=_count(terms, both=False))
        .filter(hits__gte=(len(terms) + 1) // 2)
        .order_by((F("hits") + F("titled")).desc(), "-active", "-opened_at", "-id")
    )
    return list(_for_rows(found)[:limit])


def _count(terms: list[str], *, both: bool) -> Combinable:
    """How many of the terms stand in the title (or in the beginning of the description)."""
    each: list[Combinable] = []
    for term in terms:
        where = Q(title__icontains=term)
        if both:
            where |= Q(beginning__icontains=term)
        each.append(Case(When(where, then=Value(1)), default=0, output_field=IntegerField()))
    return reduce(lambda left, right: left + right, each)


def narrowed(tickets: IncidentQuerySet, text: str) -> IncidentQuerySet:
    """Those that say every word of the text, or whose number it is. Any text is a question."""
    text = text.strip()
    if _NUMBER.match(text):
        return tickets.filter(number__icontains=text)
    terms = terms_of(text)
    if not terms:
        return tickets.filter(title__icontains=text[:MAX_TEXT]) if text else tickets
    every = [or_(Q(title__icontains=term), Q(description__icontains=term)) for term in terms]
    return tickets.filter(reduce(and_, every))


def _for_rows(tickets: IncidentQuerySet) -> IncidentQuerySet:
    return tickets.select_related("assignee", "assignment_group", "caller")
