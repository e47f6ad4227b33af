"""Plots as SVG, made on the server: read without a script, in words too, in light and dark."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup, escape

from twofold.server.registry.browsing.numbers import Day

#: Size of a plot in its own units; the page scales it.
WIDTH, HEIGHT = 600, 160

_TOP, _BOTTOM, _LEFT = 12, 18, 44


def plot_days(days: Sequence[Day], title: str) -> Markup:
    """Return bars, one for each day: pip's downloads below, conda's above."""
    highest = _round_up(max((day.total for day in days), default=0))
    width = (WIDTH - _LEFT) / max(1, len(days))
    parts = [
        Markup('<svg class="bars" viewBox="0 0 {} {}" role="img" aria-label="{}">').format(
            WIDTH, HEIGHT, title
        )
    ]
    parts += _make_axis(highest)
    bar = max(1.0, width * 0.8)
    for place, day in enumerate(days):
        left = _LEFT + place * width
        label = f"{day.day}: {day.pip} pip, {day.conda} conda"
        parts.append(Markup("<g><title>{}</title>").format(label))
        below = _scale(day.pip, highest)
        for kind, count, base in (("pip", day.pip, 0.0), ("conda", day.conda, below)):
            if count:
                size = _scale(count, highest)
                top = HEIGHT - _BOTTOM - base - size
                parts.append(
                    Markup(
                        f'<rect class="{kind}" x="{left:.1f}" y="{top:.1f}" '
                        f'width="{bar:.1f}" height="{size:.1f}"/>'
                    )
                )
        parts.append(Markup("</g>"))
    ends = ((days[0], "start", _LEFT), (days[-1], "end", WIDTH)) if days else ()
    for day, anchor, x in ends:
        place_of = f'x="{x}" y="{HEIGHT - 4}" text-anchor="{anchor}"'
        parts.append(Markup(f"<text {place_of}>{escape(day.day)}</text>"))
    return Markup("").join([*parts, Markup("</svg>")])


def _make_axis(highest: int) -> list[Markup]:
    found = []
    for count in (0, highest):
        y = HEIGHT - _BOTTOM - _scale(count, highest)
        found.append(Markup(f'<line x1="{_LEFT}" x2="{WIDTH}" y1="{y:.1f}" y2="{y:.1f}"/>'))
        text = f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{_shorten(count)}</text>'
        found.append(Markup(text))
    return found


def _scale(count: int, highest: int) -> float:
    return (HEIGHT - _TOP - _BOTTOM) * count / highest


def _round_up(count: int) -> int:
    """Return a round number that is no less: 1, 2, 5, 10, 20, ..."""
    step = 1
    while True:
        for factor in (1, 2, 5):
            if count <= factor * step:
                return factor * step
        step *= 10


def _shorten(count: int) -> str:
    for size, unit in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if count >= size:
            return f"{count / size:g}{unit}"
    return str(count)


def summarize_days(days: Sequence[Day]) -> str:
    """Return in words what a plot shows."""
    total = sum(day.total for day in days)
    if not total:
        return f"No downloads in the last {len(days)} days."
    most = max(days, key=lambda day: day.total)
    pip = sum(day.pip for day in days)
    what = "download" if total == 1 else "downloads"
    return (
        f"{total:,} {what} in the last {len(days)} days, {pip:,} by pip's side and "
        f"{total - pip:,} by conda's; the most on {most.day}: {most.total:,}."
    )
