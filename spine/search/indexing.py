"""Writes the searchable form of records: for one change, and for millions at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

from django.db import connection, transaction
from psycopg2.extras import execute_values

from spine.kit.clock import now
from spine.search.models import Document
from spine.search.sources import Source, Texts
from spine.search.tokens import han_vector, tokenize

BATCH = 500
# First key of the advisory locks that order two writers of one document. Documents share a bounded
# number of locks: a transaction that writes ten thousand must not fill the server's lock table.
_LOCK = 0x5EA7C4
_LOCKS = 1024


class Row(NamedTuple):
    """A document before PostgreSQL stems it; the columns of `INSERT_VALUES`, in order.

    *_latin: words for to_tsvector; *_han: the text of a tsvector. notes_* are None without notes.
    """

    kind: str
    object_id: int
    organization_id: int | None
    number: str
    external_id: str
    ranked_at: Any
    config: str
    title_latin: str
    title_han: str
    body_latin: str
    body_han: str
    notes_latin: str | None
    notes_han: str | None


# VALUES -> documents. Importers that stage rows with COPY put their table in place of the VALUES.
INSERT_FROM = """
INSERT INTO search_document
  (kind, names, object_id, organization_id, number, external_id, ranked_at, words, body, "full")
SELECT kind, config = 'simple', object_id, organization_id, number, external_id, ranked_at,
       title, title || body,
       CASE WHEN notes IS NULL THEN NULL ELSE title || body || notes END
FROM (
  SELECT r.*,
    setweight(to_tsvector(r.config::regconfig, r.title_latin), 'A') || r.title_han::tsvector
      AS title,
    to_tsvector(r.config::regconfig, r.body_latin) || r.body_han::tsvector AS body,
    to_tsvector(r.config::regconfig, r.notes_latin) || r.notes_han::tsvector AS notes
  FROM {rows} AS r (kind, object_id, organization_id, number, external_id, ranked_at, config,
    title_latin, title_han, body_latin, body_han, notes_latin, notes_han)
  -- Not merged into the outer query: each vector is made once, not wherever it is named.
  OFFSET 0
) AS made
ON CONFLICT (kind, object_id) DO UPDATE SET
  organization_id = excluded.organization_id, number = excluded.number,
  external_id = excluded.external_id, ranked_at = excluded.ranked_at, words = excluded.words,
  body = excluded.body, "full" = excluded."full"
"""
_TEMPLATE = (
    "(%s, %s::bigint, %s::bigint, %s, %s, %s::timestamptz, %s, %s, %s, %s, %s, %s::text, %s::text)"
)


def document_rows(source: Source, records: Sequence[Any]) -> Iterator[Row]:
    """The documents of these records, for `write_rows` or for an importer's own COPY."""
    for record, texts in zip(records, source.texts(list(records)), strict=True):
        yield document_row(source, record.pk, texts)


def document_row(source: Source, object_id: int, texts: Texts) -> Row:
    """The document of one record whose words are known already."""
    title, body = tokenize(texts.title), tokenize(texts.body)
    notes = tokenize(texts.notes) if texts.notes.strip() else None
    return Row(
        kind=source.kind,
        object_id=object_id,
        organization_id=texts.organization_id,
        number=texts.number.upper()[:40],
        external_id=texts.external_id[:200],
        ranked_at=texts.ranked_at or now(),
        config="simple" if source.names else "english",
        title_latin=title.latin,
        title_han=han_vector(title.han, "A"),
        body_latin=body.latin,
        body_han=han_vector(body.han),
        notes_latin=None if notes is None else notes.latin,
        notes_han=None if notes is None else han_vector(notes.han),
    )


def write_rows(rows: Iterable[Row]) -> int:
    """Inserts or replaces documents, a batch per statement. Returns how many."""
    written = 0
    remaining = iter(rows)
    statement = INSERT_FROM.format(rows="(VALUES %s)")
    with connection.cursor() as cursor:
        while batch := list(islice(remaining, BATCH)):
            execute_values(cursor.cursor, statement, batch, template=_TEMPLATE, page_size=BATCH)
            written += len(batch)
    return written


def index(source: Source, object_ids: Iterable[int]) -> int:
    """Makes the documents of these records anew from what is stored now; a record that is gone
    loses its document. Again does no harm, and of two at once the later one reads last."""
    ids = sorted(set(object_ids))
    if not ids:
        return 0
    with transaction.atomic():
        _take_turns(source, ids)
        records = list(source.records().filter(pk__in=ids))
        write_rows(document_rows(source, records))
        gone = set(ids) - {record.pk for record in records}
        if gone:
            Document.objects.filter(kind=source.kind, object_id__in=gone).delete()
    return len(records)


def _take_turns(source: Source, ids: list[int]) -> None:
    keys = [f"{source.kind}:{pk}" for pk in ids]
    with connection.cursor() as cursor:
        # Ordered, so that two batches that overlap never wait for each other in a circle.
        cursor.execute(
            "SELECT pg_advisory_xact_lock(%s, key) FROM (SELECT DISTINCT hashtext(k) & %s AS key "
            "FROM unnest(%s::text[]) AS k ORDER BY 1) AS keys",
            [_LOCK, _LOCKS - 1, keys],
        )


def reindex(source: Source, *, after: int = 0, limit: int | None = None) -> tuple[int, int | None]:
    """Indexes the records with a primary key above `after`, in its order.

    Returns (how many, the last primary key if there may be more, else None).
    """
    done, last = 0, after
    while limit is None or done < limit:
        ids = list(
            source.records().filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:BATCH]
        )
        if not ids:
            return done, None
        done += index(source, ids)
        last = ids[-1]
    return done, last


def drop_strays(source: Source) -> int:
    """Removes documents of records that are no longer there. Returns how many."""
    records = source.records().values("pk")
    strays = Document.objects.filter(kind=source.kind).exclude(object_id__in=records)
    return strays.delete()[0]
