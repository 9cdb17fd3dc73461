"""A Grafana dashboard's panels drawn as SVG, from what a Prometheus answers to their queries: each where it stands."""

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import msgspec

Points = Sequence[tuple[float, float]]
Json = dict[str, Any]
_COLUMNS, _COLUMN, _ROW, _GAP = 24, 50, 32, 6
_COLOURS = (
    "#73bf69",
    "#f2cc0c",
    "#5794f2",
    "#ff780a",
    "#f2495c",
    "#b877d9",
    "#37872d",
    "#8ab8ff",
    "#fade2a",
    "#c4162a",
)
_LINE, _TEXT, _BACK, _PANEL = "#2f3136", "#ccccdc", "#111217", "#181b1f"
_LEGENDS_MAX = 5


class Series(msgspec.Struct, frozen=True):
    """What one query answered: lines by their legends."""

    name: str
    points: Points


def page(panels: Sequence[tuple[Json, Sequence[Series]]], title: str) -> str:
    """The whole dashboard: each panel of it with its series, in the place that its `gridPos` names."""
    height = max((p["gridPos"]["y"] + p["gridPos"]["h"] for p, _ in panels), default=1) * _ROW + 40
    width = _COLUMNS * _COLUMN
    body = "".join(_panel(panel, series) for panel, series in panels)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'font-family="sans-serif" font-size="11" fill="{_TEXT}"><rect width="{width}" height="{height}" '
        f'fill="{_BACK}"/><text x="10" y="26" font-size="16">{escape(title)}</text>{body}</svg>\n'
    )


def _panel(panel: Json, series: Sequence[Series]) -> str:
    at, title = panel["gridPos"], escape(panel["title"])
    left, top = at["x"] * _COLUMN + _GAP / 2, at["y"] * _ROW + 40
    wide, high = at["w"] * _COLUMN - _GAP, at["h"] * _ROW - _GAP
    if panel["type"] == "row":
        return f'<text x="{left + 4}" y="{top + 18}" font-size="13" font-weight="bold">{title}</text>'
    box = (
        f'<rect x="{left}" y="{top}" width="{wide}" height="{high}" rx="2" fill="{_PANEL}" stroke="{_LINE}"/>'
        f'<text x="{left + 8}" y="{top + 18}" font-weight="bold">{title}</text>'
    )
    unit = panel["fieldConfig"]["defaults"].get("unit", "short")
    if panel["type"] == "stat":
        return box + _stat(series, unit, (left, top, wide, high))
    return box + _lines(series, unit, (left, top, wide, high))


def _stat(series: Sequence[Series], unit: str, box: tuple[float, float, float, float]) -> str:
    left, top, wide, high = box
    shown = "   ".join(
        (f"{each.name} " if len(series) > 1 else "") + shorten(each.points[-1][1], unit)
        for each in series
        if each.points
    )
    size = 30 if len(series) < 2 else 20
    return (
        f'<text x="{left + wide / 2}" y="{top + high / 2 + 20}" text-anchor="middle" font-size="{size}" '
        f'fill="{_COLOURS[0]}">{escape(shown or "no data")}</text>'
    )


def _lines(series: Sequence[Series], unit: str, box: tuple[float, float, float, float]) -> str:
    left, top, wide, high = box
    lines = [each for each in series if each.points]
    if not lines:
        return f'<text x="{left + wide / 2}" y="{top + high / 2}" text-anchor="middle">no data</text>'
    lines.sort(key=lambda each: -max(y for _, y in each.points))
    legends = min(len(lines), _LEGENDS_MAX)
    x_from, y_from = left + 56, top + 30
    x_wide, y_high = wide - 70, high - 30 - 20 - 15 * legends - (15 if len(lines) > legends else 0) - 4
    x_low, x_high = _range([x for each in lines for x, _ in each.points])
    y_max = max((y for each in lines for _, y in each.points if math.isfinite(y)), default=0.0) or 1.0
    step = _step(y_max)
    y_top = math.ceil(y_max / step) * step

    def place(x: float, y: float) -> str:
        return f"{x_from + x_wide * (x - x_low) / (x_high - x_low):.1f},{y_from + y_high * (1 - y / y_top):.1f}"

    out = []
    for tick in range(round(y_top / step) + 1):
        y = y_from + y_high * (1 - tick * step / y_top)
        out.append(f'<line x1="{x_from}" x2="{x_from + x_wide}" y1="{y:.1f}" y2="{y:.1f}" stroke="{_LINE}"/>')
        out.append(f'<text x="{x_from - 5}" y="{y + 4:.1f}" text-anchor="end">{shorten(tick * step, unit)}</text>')
    minutes = max(1, math.ceil((x_high - x_low) / 60 / 6))
    for minute in range(0, int((x_high - x_low) / 60) + 1, minutes):
        x = x_from + x_wide * minute * 60 / (x_high - x_low)
        out.append(f'<text x="{x:.1f}" y="{y_from + y_high + 15}" text-anchor="middle">{minute} min</text>')
    for number, each in enumerate(lines):
        colour = _COLOURS[number % len(_COLOURS)]
        path = " ".join(place(x, y) for x, y in each.points if math.isfinite(y))
        out.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.3"/>')
        if number < legends:
            y = y_from + y_high + 32 + 15 * number
            out.append(f'<rect x="{left + 10}" y="{y - 7}" width="12" height="3" fill="{colour}"/>')
            out.append(f'<text x="{left + 27}" y="{y}">{escape(_cut(each.name, int(wide / 6.4)))}</text>')
    if len(lines) > legends:
        out.append(
            f'<text x="{left + 27}" y="{y_from + y_high + 32 + 15 * legends}">and {len(lines) - legends} more</text>'
        )
    return "".join(out)


def shorten(value: float, unit: str) -> str:
    """A value as Grafana writes it, in its unit."""
    if unit == "percentunit":
        return f"{value * 100:.3g} %"
    if unit == "s":
        return f"{value * 1000:.3g} ms" if 0 < value < 1 else f"{value:.3g} s"
    after = {"ops": "/s", "reqps": "/s", "Bps": "B/s", "bytes": "B"}.get(unit, "")
    for power, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= power:
            return f"{value / power:.3g} {letter}{after}"
    return f"{value:.3g}{' ' if after else ''}{after}"


def legend(template: str, labels: Mapping[str, str]) -> str:
    """A query's `legendFormat` with a series' labels in it."""
    if template == "__auto":
        return ", ".join(f"{name}={value}" for name, value in labels.items() if name != "__name__")
    for name, value in labels.items():
        template = template.replace("{{" + name + "}}", value)
    return template


def _range(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    return (low, high) if high > low else (low, low + 1)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"…{text[1 - width :]}"


def _step(highest: float) -> float:
    """1, 2 or 5 times a power of ten: two to five of them reach the highest."""
    power: float = 10.0 ** math.floor(math.log10(highest / 2))
    return next(power * factor for factor in (1, 2, 5, 10) if highest / (power * factor) <= 5)
