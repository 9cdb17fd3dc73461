"""Line charts as SVG, with the least that a chart needs: axes, a scale, a legend."""

import math
from collections.abc import Mapping, Sequence

_WIDTH, _HEIGHT = 900, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 170, 30, 40
_COLOURS = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#8c564b", "#e377c2", "#7f7f7f", "#17becf")
Points = Sequence[tuple[float, float]]


def charts(panels: Sequence[tuple[str, Mapping[str, Points]]], x_name: str) -> str:
    """Several charts one below the other, each (title, name → points)."""
    body = "".join(_panel(title, lines, place * _HEIGHT, x_name) for place, (title, lines) in enumerate(panels))
    height = _HEIGHT * len(panels)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" font-family="sans-serif" '
        f'font-size="11"><rect width="{_WIDTH}" height="{height}" fill="white"/>{body}</svg>\n'
    )


def _panel(title: str, lines: Mapping[str, Points], top: int, x_name: str) -> str:
    x_max = max((x for points in lines.values() for x, _ in points), default=1.0) or 1.0
    y_max = max((y for points in lines.values() for _, y in points), default=1.0) or 1.0
    y_step, x_step = _step(y_max), _step(x_max)
    y_top = math.ceil(y_max / y_step) * y_step

    def at(x: float, y: float) -> tuple[float, float]:
        """A point on the page."""
        wide, high = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
        return _LEFT + wide * x / x_max, top + _TOP + high * (1 - y / y_top)

    out = [f'<text x="{_LEFT}" y="{top + 18}" font-weight="bold">{title}</text>']
    for tick in range(round(y_top / y_step) + 1):
        x, y = at(0, tick * y_step)
        out.append(f'<line x1="{x}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>')
        out.append(f'<text x="{x - 6}" y="{y + 4:.1f}" text-anchor="end">{tick * y_step:,g}</text>')
    for tick in range(int(x_max / x_step) + 1):
        x, y = at(tick * x_step, 0)
        out.append(f'<text x="{x:.1f}" y="{y + 16:.1f}" text-anchor="middle">{tick * x_step:g}</text>')
    out.append(f'<text x="{_WIDTH - _RIGHT}" y="{top + _HEIGHT - 8}" text-anchor="end">{x_name}</text>')
    for place, (name, points) in enumerate(lines.items()):
        colour = _COLOURS[place % len(_COLOURS)]
        path = " ".join("{:.1f},{:.1f}".format(*at(x, y)) for x, y in points)
        out.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        x, y = _WIDTH - _RIGHT + 12, top + _TOP + 16 * place
        out.append(f'<rect x="{x}" y="{y}" width="10" height="10" fill="{colour}"/>')
        out.append(f'<text x="{x + 15}" y="{y + 9}">{name}</text>')
    return "".join(out)


def _step(highest: float) -> float:
    """1, 2 or 5 times a power of ten: four to ten of them reach the highest."""
    power: float = 10.0 ** math.floor(math.log10(highest / 4))
    return next(power * factor for factor in (1, 2, 5, 10) if highest / (power * factor) <= 10)
