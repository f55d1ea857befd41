"""The largest size against the smallest."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.figures import Figure


def ratios(smallest: list[Figure], largest: list[Figure]) -> Iterator[Figure]:
    """Per pair the largest's time over the smallest's, of the medians; and the worst of them."""
    before = {one.name: one for one in smallest}
    found = [(one, one.value / before[one.name].value) for one in largest if one.name in before]
    if not found:
        return
    size = largest[0].tickets
    times = f"{size:,} against {smallest[0].tickets:,}"
    for kind, start in (("pages of shipped views", "/incidents/"), ("REST pairs", "/api/")):
        own = sorted(
            (pair for pair in found if pair[0].name.startswith(start)), key=lambda pair: pair[1]
        )
        if not own:
            continue
        which, worst = own[-1]
        middle = own[len(own) // 2][1]
        yield Figure(
            "growth", f"{len(own)} {kind}, worst, {times}", worst, "x", must=1.3, goal=1.1,
            tickets=size, note=f"{which.name} (middle {middle:.2f})",
        )  # fmt: skip
