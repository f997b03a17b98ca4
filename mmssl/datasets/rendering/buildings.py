"""Buildings: a facade along the street, an end wall, a roof, windows, doors and shop fronts."""

import numpy as np

from mmssl.datasets.rendering.camera import NEAREST
from mmssl.datasets.rendering.canvas import BUILDING, Canvas
from mmssl.datasets.rendering.layout import Item, Layout
from mmssl.datasets.rendering.styles import Appearance


def paint_building(canvas: Canvas, item: Item, layout: Layout, look: Appearance) -> None:
    """Paint one building: roof, end wall, facade, then what is on the facade."""
    shape, r = item.shape, item.look
    s0, s1, u, side, height = max(item.s, NEAREST), shape['end'], item.u, shape['side'], shape['height']
    back, roof = u + side * shape['depth'], shape['roof']
    middle = 0.5 * (u + back)
    wall = canvas.project(np.array([
        [s0, u, 0], [s1, u, 0], [s1, u, height], [s0, u, height],
        [s0, back, 0], [s0, back, height], [s0, middle, height + roof], [s1, middle, height + roof],
    ]))  # fmt: skip
    if wall[:, 0].max() < 0 or wall[:, 0].min() > canvas.size[1]:
        return
    number = canvas.new_object(BUILDING)
    sun = layout.sun[0]
    depth = 0.5 * (s0 + s1)
    base = look.color('building', r[0], r[1], depth, look.facing(-0.8 * sun * side))
    if roof:
        canvas.convex(wall[[3, 2, 7, 6]], look.color('roof', r[2], r[3], depth), number)
        if r[4] < 0.6:
            _paint_chimney(canvas, 0.3 * s0 + 0.7 * s1, middle, height + roof, base, number)
    end_color = look.color('building', r[0], r[1], s0, look.facing(-0.3))
    canvas.convex(wall[[0, 4, 5, 6, 3]] if roof else wall[[0, 4, 5, 3]], end_color, number)
    canvas.convex(wall[:4], base, number)
    left, right = np.sort(wall[:4, 0])[[0, -1]]
    if right < 0 or left > canvas.size[1] or right - left < 0.02 * canvas.size[0]:
        return
    _paint_facade(canvas, item, look, s0, depth, base)


def _paint_chimney(canvas: Canvas, s: float, u: float, h: float, color: tuple, number: int) -> None:
    x, y, scale = canvas.place(s, u, h)
    half = 0.35 * scale
    canvas.box(x - half, y - 1.1 * scale, x + half, y + half, tuple(0.8 * c for c in color), number)


def _on_wall(s: np.ndarray, h: np.ndarray, wide: float, tall: float, u: float) -> np.ndarray:
    """World corners (M, 4, 3) of rectangles on a wall, given their first lower corners."""
    corners = np.empty((len(s), 4, 3))
    corners[:, :, 0] = s[:, None] + np.array([0, wide, wide, 0])
    corners[:, :, 1] = u
    corners[:, :, 2] = h[:, None] + np.array([0, 0, tall, tall])
    return corners


def _paint_facade(canvas: Canvas, item: Item, look: Appearance, s0: float, depth: float, base: tuple) -> None:
    shape, r, u = item.shape, item.look, item.u
    start, end, storey, floors = item.s, shape['end'], shape['storey'], shape['floors']
    length = end - start
    bays = max(1, int(length / (1.7 + 2.2 * r[5])))
    pitch = length / bays
    wide, tall = pitch * (0.35 + 0.3 * r[6]), storey * (0.4 + 0.22 * r[7])
    columns = start + pitch * (np.arange(bays) + 0.5) - wide / 2
    columns = columns[columns > s0]
    if len(columns) == 0:
        return
    glass = look.color('glass', r[2], r[6], depth)
    frame = look.color('frame', r[3], r[5], depth)
    first = 1 if shape['shop'] else 0
    bottoms = storey * np.arange(first, floors) + storey * 0.3
    s, h = np.tile(columns, len(bottoms)), np.repeat(bottoms, len(columns))
    near = s0 < 30
    if len(s):
        lip = 0.09
        boxes = [_on_wall(s - lip, h - lip, wide + 2 * lip, tall + 2 * lip, u)] if near else []
        boxes.append(_on_wall(s, h, wide, tall, u))
        pixels = canvas.project(np.concatenate(boxes))
        if near:
            canvas.details(pixels[: len(s)], frame)
        panes = pixels[-len(s) :]
        canvas.details(panes, glass)
        # Some windows reflect the sky or have a curtain.
        canvas.details(panes[int(8 * r[4]) :: 5], tuple(min(255, 1.5 * c + 12) for c in glass))
        if near and r[1] < 0.6:
            # A bar across the middle, a pixel high.
            bars = 0.5 * (panes[:, [0, 1, 1, 0]] + panes[:, [3, 2, 2, 3]])
            bars[:, 2:, 1] += 1
            canvas.details(bars, frame)
    visible = max(s0, start)
    if shape['shop']:
        fascia = look.color('shop', r[4], r[7], depth)
        band = np.stack([
            _on_wall(np.array([visible]), np.array([storey * 0.78]), end - visible, storey * 0.2, u)[0],
            _on_wall(np.array([visible]), np.array([0.0]), end - visible, 0.45, u)[0],
        ])  # fmt: skip
        broad = min(wide + 0.4 * pitch, 0.9 * pitch)
        panes = _on_wall(columns - 0.2 * pitch, np.full(len(columns), 0.5), broad, storey * 0.68 - 0.4, u)
        pixels = canvas.project(np.concatenate([band, panes]))
        canvas.details(pixels[:2], fascia)
        canvas.details(pixels[2:], tuple(0.75 * c for c in glass))
    else:
        ledge = _on_wall(np.full(floors, visible), storey * np.arange(1, floors + 1) - 0.12, end - visible, 0.2, u)
        doors = columns[: 1 + int(2 * r[0])] + wide
        door = _on_wall(doors, np.zeros(len(doors)), 0.9, 2.1, u)
        pixels = canvas.project(np.concatenate([ledge, door]))
        canvas.details(pixels[:floors], tuple(min(255, 1.12 * c) for c in base))
        canvas.details(pixels[floors:], look.color('shop', r[2], r[3], depth))
