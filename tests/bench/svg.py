# SPDX-License-Identifier: Apache-2.0
"""Bars and lines as SVG, without anything but Python."""

import math
from xml.sax.saxutils import escape

WIDTH = 720
LEFT, RIGHT, TOP, BOTTOM = 190, 80, 40, 36
ROW = 24
PLOT_HEIGHT = 240
CURVE_LEFT, CURVE_HEIGHT = 70, TOP + PLOT_HEIGHT + BOTTOM + 16
FONT = 'font-family="sans-serif" font-size="12"'
COLORS = {"mw": "#1f6fb2", "other": "#b8bec5", "peer": "#d9a441"}
LINE_COLORS = ("#1f6fb2", "#c23b4a", "#2d8a57", "#8cb8e0", "#e5a0a8", "#93cbab")


def number(value):
    """1234567 as 1.23 M: three digits that count."""
    for factor, letter in ((1e6, " M"), (1e3, " k"), (1, "")):
        if value >= factor or factor == 1:
            scaled = value / factor
            digits = 0 if scaled >= 100 else 1 if scaled >= 10 else 2
            return f"{scaled:.{digits}f}{letter}"
    return ""


def mark_of(value):
    """The same for a round number: 50 k."""
    for factor, letter in ((1e6, " M"), (1e3, " k")):
        if value >= factor:
            return f"{value / factor:g}{letter}"
    return f"{value:g}"


def text(x, y, words, anchor="start", color="#222", size=12):
    return (f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}" fill="{color}" '
            f'font-size="{size}">{escape(words)}</text>')


def line(x1, y1, x2, y2, color="#e3e6e9"):
    return f'<path d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" stroke="{color}" fill="none"/>'


def picture(height, title, parts):
    head = (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
            f'viewBox="0 0 {WIDTH} {height}" {FONT}>')
    return "\n".join([head, f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
                      text(12, 22, title, size=14), *parts, "</svg>", ""])


def decades(least, most):
    return [10.0 ** power for power in range(math.floor(math.log10(least)),
                                             math.ceil(math.log10(most)) + 1)]


def steps(most):
    """About five round numbers from 0."""
    raw = most / 5
    unit = 10 ** math.floor(math.log10(raw))
    step = next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= raw)
    return [step * i for i in range(math.ceil(most / step) + 1)]


def bars(title, rows, is_logarithmic):
    """Rows of (name, kind, value); the kinds are those of COLORS."""
    values = [value for _, _, value in rows]
    marks = decades(min(values) / 1.5, max(values)) if is_logarithmic else steps(max(values))
    height = TOP + len(rows) * ROW + BOTTOM

    def at(value):
        if is_logarithmic:
            share = math.log(value / marks[0]) / math.log(marks[-1] / marks[0])
        else:
            share = value / marks[-1]
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    parts = []
    for mark in marks:
        parts.append(line(at(mark), TOP, at(mark), height - BOTTOM)
                     if mark else line(LEFT, TOP, LEFT, height - BOTTOM))
        parts.append(text(at(mark) if mark else LEFT, height - BOTTOM + 18, mark_of(mark), "middle",
                          "#666"))
    for place, (name, kind, value) in enumerate(rows):
        y = TOP + place * ROW
        parts.append(f'<rect x="{LEFT}" y="{y + 4}" width="{max(at(value) - LEFT, 1):.1f}" '
                     f'height="{ROW - 8}" fill="{COLORS[kind]}"/>')
        parts.append(text(LEFT - 8, y + 16, name, "end"))
        parts.append(text(at(value) + 6, y + 16, number(value)))
    return picture(height, title, parts)


def curve(title, below, points):
    """Points (x, y), x on a logarithmic scale, y from 0, each with its value."""
    parts, at = axes(below, points, max(y for _, y in points))
    parts += path(at, points, COLORS["mw"])
    parts += [text(at(x, y)[0], at(x, y)[1] - 8, number(y), "middle") for x, y in points]
    return picture(CURVE_HEIGHT, title, parts)


def curves(title, below, lines, y_most):
    """Lines of (name, points), with their names in the corner at the bottom. y goes to y_most, or
    further if a point does."""
    every = [point for _, points in lines for point in points]
    parts, at = axes(below, every, max(y_most, *(y for _, y in every)))
    for place, (name, points) in enumerate(lines):
        color = LINE_COLORS[place % len(LINE_COLORS)]
        y = TOP + PLOT_HEIGHT - 16 * (len(lines) - place) + 4
        parts += path(at, points, color)
        parts += [f'<path d="M{WIDTH - RIGHT - 150} {y - 4}h20" stroke="{color}" stroke-width="2"/>',
                  text(WIDTH - RIGHT - 124, y, name)]
    return picture(CURVE_HEIGHT, title, parts)


def axes(below, points, y_most):
    """The grid under the points, and the function that gives the place of one."""
    x_marks = decades(min(x for x, _ in points), max(x for x, _ in points))
    if len(x_marks) == 1:
        x_marks.append(10 * x_marks[0])
    y_marks = steps(y_most)

    def at(x, y):
        across = math.log(x / x_marks[0]) / math.log(x_marks[-1] / x_marks[0])
        return (CURVE_LEFT + across * (WIDTH - CURVE_LEFT - RIGHT),
                TOP + PLOT_HEIGHT * (1 - y / y_marks[-1]))

    parts = []
    for mark in y_marks:
        x, y = at(x_marks[0], mark)
        parts += [line(x, y, WIDTH - RIGHT, y), text(x - 8, y + 4, mark_of(mark), "end", "#666")]
    for mark in x_marks:
        x, y = at(mark, 0)
        parts += [line(x, TOP, x, y), text(x, y + 18, f"{mark:,g}", "middle", "#666")]
    parts.append(text((CURVE_LEFT + WIDTH - RIGHT) / 2, CURVE_HEIGHT - 8, below, "middle", "#666"))
    return parts, at


def path(at, points, color):
    places = [at(x, y) for x, y in points]
    drawn = "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
    return [f'<path d="M{drawn}" stroke="{color}" stroke-width="2" fill="none"/>',
            *(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{color}"/>' for x, y in places)]
