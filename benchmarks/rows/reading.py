"""Rows that read: the REST list, the list page, the record page, search."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from urllib.parse import quote

from benchmarks import serving
from benchmarks.context import Bench, queries_of, query, sql_ms
from benchmarks.figures import Figure, figure, in_turn
from benchmarks.minimal_columns import COLUMNS

PRIORITY = 3
ENTRIES = 50
FLOOR = "Django + granian, 50 rows of 20 columns"


def listed(bench: Bench) -> Iterator[Figure]:
    """GET /incidents/ filtered by state and priority, in the order of opening, 50 rows."""
    path = f"/api/v1/incidents/?active=true&priority={PRIORITY}&ordering=priority"
    ours = [serving.get(path, Authorization=f"Token {bench.token()}")]
    plain = [serving.get(f"/list/?priority={PRIORITY}")]
    raw = (
        f"SELECT {', '.join(COLUMNS)} FROM tickets_ticket WHERE kind = 'incident' AND active "
        "AND priority = %s ORDER BY opened_at, id LIMIT 50"
    )
    load = {"seconds": bench.seconds, "warm_up": bench.warm_up}
    with serving.platform() as platform, serving.floor() as floor:
        floors, loads, sqls = in_turn(
            bench.repeat,
            lambda: floor.load(plain, **load),
            lambda: platform.load(ours, **load),
            lambda: sql_ms(raw, [PRIORITY]),
        )
    yield figure(
        "list", "REST list, filtered and sorted, p50", "ms",
        [one.p50 for one in loads], [one.p50 for one in floors], must=12, goal=6, floor_name=FLOOR,
        note=f"{loads[0].size / 1024:.0f} KB; client {loads[0].client_cpu:.2f} ms of CPU",
    )  # fmt: skip
    yield figure("list", "the same rows in raw SQL", "ms", sqls)


def page(bench: Bench) -> Iterator[Figure]:
    """/incidents/ as an agent first sees it: the team's open ones, by due time."""
    path = "/incidents/"
    ours = [serving.get(path, Cookie=bench.cookie())]
    plain = [serving.get(f"/list/?priority={PRIORITY}")]
    load = {"seconds": bench.seconds, "warm_up": bench.warm_up}
    with serving.platform() as platform, serving.floor() as floor:
        floors, loads = in_turn(
            bench.repeat,
            lambda: floor.load(plain, **load),
            lambda: platform.load(ours, **load),
        )
    asked, _size = queries_of(path, bench.agent)
    yield figure(
        "page", "list page, filtered, p50", "ms", [one.p50 for one in loads],
        [one.p50 for one in floors], must=40, goal=20, floor_name=FLOOR,
    )  # fmt: skip
    sizes = [one.size / 1024 for one in loads]
    yield figure("page", "list page, size", "KB", sizes, must=60, goal=40)
    yield figure("page", "list page, queries", "", [asked], must=12, goal=8)


def record(bench: Bench) -> Iterator[Figure]:
    """The page of an incident with 50 entries on its timeline."""
    number = _told_story(bench)
    path = f"/incidents/{number}/"
    ours = [serving.get(path, Cookie=bench.cookie())]
    plain = [serving.get(f"/one/{number}/")]
    load = {"seconds": bench.seconds, "warm_up": bench.warm_up}
    with serving.platform() as platform, serving.floor() as floor:
        floors, loads = in_turn(
            bench.repeat,
            lambda: floor.load(plain, **load),
            lambda: platform.load(ours, **load),
        )
    asked, _size = queries_of(path, bench.agent)
    yield figure(
        "record", f"record page with {ENTRIES} timeline entries, p50", "ms",
        [one.p50 for one in loads], [one.p50 for one in floors], must=30, goal=15,
        floor_name="Django + granian, one row by key", note=f"{loads[0].size / 1024:.0f} KB",
    )  # fmt: skip
    yield figure("record", "record page, queries", "", [asked], must=18, goal=12)


def _told_story(bench: Bench) -> str:
    """An incident whose story has exactly 50 entries beside its opening: half of them words in
    Markdown, the others changes."""
    from incidents import actions

    ticket = actions.open_incident(
        actor=bench.agent,
        values={"title": "Orders are slow", "description": "Since **09:38**.", "channel": "phone"},
    )
    for step in range(ENTRIES // 2):
        visibility = "note" if step % 3 == 0 else "public"
        actions.comment_on(
            ticket,
            actor=bench.agent,
            body=f"Step {step}: the pool on `db-{step:02}` is at its **limit**.\n\n- one\n- two",
            visibility=visibility,
        )
        actions.update_incident(ticket, actor=bench.agent, values={"urgency": 1 + step % 2})
    return ticket.number


def search(bench: Bench) -> Iterator[Figure]:
    """/search/ as a page: a word of many tickets, one of none, and Chinese."""
    common, chinese = _words()
    asked = (
        ("common words", common, 40, 15),
        ("no hit", "zyxwvutsr qponmlk", 5, 2),
        ("Chinese", chinese, 40, 15),
    )
    cookie = bench.cookie()
    load = {"seconds": bench.seconds / 2, "warm_up": bench.warm_up / 2}
    raw = (
        "SELECT object_id FROM search_document WHERE kind = 'incident' AND "
        "(body @@ plainto_tsquery('english', %s)) ORDER BY ranked_at DESC, object_id DESC LIMIT 50"
    )
    with serving.platform() as platform:
        for name, words, must, goal in asked:
            if not words:
                continue
            requests = [serving.get(f"/search/?q={quote(words)}", Cookie=cookie)]
            loads, sqls = in_turn(
                bench.repeat,
                lambda requests=requests: platform.load(requests, **load),
                lambda words=words: sql_ms(raw, [words]),
            )
            # Chinese words are bigrams there, which plain SQL does not make of a text.
            floors = sqls if name != "Chinese" else []
            yield figure(
                "search", f"search page: {name}, p50", "ms", [one.p50 for one in loads], floors,
                must=must, goal=goal, floor_name="raw SQL, the 50 newest that match" * bool(floors),
                note=f"“{words}”",
            )  # fmt: skip


def _words() -> tuple[str, str]:
    """The most frequent pair of words in titles, and of Chinese characters."""
    titles = [row[0] for row in query("SELECT title FROM tickets_ticket ORDER BY id LIMIT 3000")]
    latin: Counter[str] = Counter()
    han: Counter[str] = Counter()
    for title in titles:
        latin.update({word.lower() for word in title.split() if word.isascii() and len(word) > 4})
        for first, second in pairwise(title):
            if "一" <= first <= "鿿" and "一" <= second <= "鿿":
                han[first + second] += 1
    words = [word for word, _count in latin.most_common(60) if word.isalpha()]
    together: Counter[str] = Counter()
    for title in titles:
        held = [word for word in words if word in title.lower().split()]
        together.update(f"{a} {b}" for a in held for b in held if a < b)
    common = together.most_common(1)[0][0] if together else (words[0] if words else "")
    return common, han.most_common(1)[0][0] if han else ""
