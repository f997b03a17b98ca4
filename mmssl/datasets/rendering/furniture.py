"""Street furniture: lamps, bollards, signs, traffic lights, fences and clutter."""

import numpy as np

from mmssl.datasets.rendering.canvas import CIRCLE, FENCE, IGNORED, POLE, SIGN, Canvas
from mmssl.datasets.rendering.layout import Item, Layout
from mmssl.datasets.rendering.styles import Appearance

THINNEST = 0.005  # of the image height: annotators draw a pole at least this thick


def _post(canvas: Canvas, item: Item, look: Appearance, top: float) -> tuple[float, float, float, int]:
    """Paint an upright post; return the column of its foot, the row of its top, the scale and its number."""
    x, y, scale = canvas.place(item.s, item.u)
    number = canvas.new_object(POLE)
    thick = max(item.shape['wide'] * scale, THINNEST * canvas.size[0])
    color = look.color('pole', item.look[0], item.look[1], item.s)
    head = y - top * scale
    canvas.limb((x, y), (x, head), thick, color, number)
    if thick > 0.02 * canvas.size[0]:
        canvas.limb((x + 0.28 * thick, y), (x + 0.28 * thick, head), 0.4 * thick, tuple(0.7 * c for c in color))
    return x, head, scale, number


def paint_lamp(canvas: Canvas, item: Item, layout: Layout, look: Appearance) -> None:
    """Paint a street lamp with its arm."""
    shape = item.shape
    x, head, scale, number = _post(canvas, item, look, shape['height'])
    color = look.color('pole', item.look[0], item.look[1], item.s)
    thick = max(0.6 * shape['wide'] * scale, THINNEST * canvas.size[0])
    tip = x + shape['arm'] * scale
    canvas.limb((x, head), (tip, head - 0.3 * scale), thick, color, number)
    light = look.color('frame', 0.0, item.look[2], item.s)
    lower = 0.35 * scale * (1 if tip > x else -1)
    canvas.limb((tip - lower, head - 0.22 * scale), (tip + lower, head - 0.34 * scale), 1.6 * thick, light, number)


def paint_bollard(canvas: Canvas, item: Item, layout: Layout, look: Appearance) -> None:
    """Paint a bollard."""
    x, head, scale, number = _post(canvas, item, look, item.shape['height'])
    wide = max(item.shape['wide'] * scale, THINNEST * canvas.size[0])
    band = head + 0.2 * item.shape['height'] * scale
    canvas.limb((x, head + 0.1 * scale), (x, band), wide, look.color('marking', 0, item.look[2], item.s), number)


def _plate(canvas: Canvas, form: int, x: float, y: float, size: float, item: Item, look: Appearance) -> None:
    """Paint a sign's plate with its face: disc, triangle, diamond, board or advertisement."""
    r = item.look
    number = canvas.new_object(SIGN)
    color = look.color('sign', r[3], r[4], item.s)
    inner = look.color('sign', (r[3] + 0.4) % 1.0, r[5], item.s)
    half = max(0.5 * size, 0.006 * canvas.size[0])
    if form == 0:
        outline = CIRCLE * half
    elif form == 1:
        outline = np.array([[-1.1, 0.9], [1.1, 0.9], [0, -1]]) * half
    elif form == 2:
        outline = np.array([[-0.7, -1.1], [0.7, -1.1], [0.7, 1.1], [-0.7, 1.1]]) * half
    elif form == 3:
        outline = np.array([[-1.6, -0.8], [1.6, -0.8], [1.6, 0.8], [-1.6, 0.8]]) * half
    else:
        outline = np.array([[-0.75, -1.3], [0.75, -1.3], [0.75, 1.3], [-0.75, 1.3]]) * half
    outline = outline + (x, y)
    canvas.convex(outline, color, number)
    if r[7] < 0.75:
        canvas.convex(outline * 0.66 + outline.mean(0) * 0.34, inner)
    if half > 0.02 * canvas.size[0]:
        # Lines of text, their number and length by chance.
        lines = np.linspace(-0.4, 0.4, 2 + int(4 * r[2]))
        for k, line in enumerate(lines):
            reach = (0.2 + 0.3 * ((k * r[5] * 7) % 1)) * half
            canvas.box(x - reach, y + (line - 0.06) * half, x + reach, y + (line + 0.06) * half, color)


def paint_sign(canvas: Canvas, item: Item, layout: Layout, look: Appearance) -> None:
    """Paint a sign on its post."""
    shape = item.shape
    x, head, scale, _ = _post(canvas, item, look, shape['height'])
    _plate(canvas, shape['form'], x, head, shape['plate'] * scale, item, look)
    if item.look[6] < 0.3 and shape['form'] < 3:
        _plate(canvas, 2, x, head + 1.1 * shape['plate'] * scale, 0.7 * shape['plate'] * scale, item, look)


def paint_hanging(canvas: Canvas, item: Item, layout: Layout, look: Appearance) -> None:
    """Paint a sign that hangs from a facade."""
    shape = item.shape
    x, y, scale = canvas.place(item.s, item.u - shape['side'] * 0.5 * shape['plate'], shape['height'])
    _plate(canvas, 2, x, y, shape['plate'] * scale, item, look)


def paint_signal(canvas: Canvas, item: Item, layout: Layout, look: Appearance) -> None:
    """Paint traffic lights on their post."""
    x, head, scale, _ = _post(canvas, item, look, item.shape['height'] - 0.5)
    number = canvas.new_object(SIGN)
    wide, tall = max(0.2 * scale, 0.007 * canvas.size[0]), max(0.55 * scale, 0.018 * canvas.size[0])
    canvas.box(x - wide, head - tall, x + wide, head + 0.6 * tall, look.color('tyre', 0, 0.6, item.s), number)
    red = item.look[5] < 0.5
    for row, lit, color in ((-0.62, red, (60, 60, 220)), (-0.2, False, (40, 60, 70)), (0.22, not red, (120, 210, 80))):
        canvas.disc(x, head + row * tall, 0.55 * wide, 0.55 * wide, color if lit else (44, 46, 46))


def paint_fence(canvas: Canvas, item: Item, layout: Layout, look: Appearance) -> None:
    """Paint a piece of fence: railings or boards. The gaps between railings belong to the fence."""
    shape = item.shape
    s0, s1, u, height = item.s, shape['end'], item.u, shape['height']
    number = canvas.new_object(FENCE)
    color = look.color('fence', shape['color'][0], shape['color'][1], s0)
    posts = np.arange(s0, s1, 0.3 if s0 < 14 else 0.75)
    world = np.zeros((3 + len(posts), 4, 3))
    world[:3, :, 0] = [s0, s1, s1, s0]
    world[0, :, 2] = [0, 0, height, height]
    world[1, :, 2] = [height - 0.08, height - 0.08, height, height]
    world[2, :, 2] = [0.12, 0.12, 0.2, 0.2]
    world[3:, :, 0] = posts[:, None] + np.array([0, 0.07, 0.07, 0])
    world[3:, :, 2] = [0, 0, height, height]
    world[:, :, 1] = u
    p = canvas.project(world)
    if p[0, :, 0].max() < 0 or p[0, :, 0].min() > canvas.size[1]:
        return
    panel = tuple(0.72 * c for c in color) if shape['bars'] else color
    dark = tuple(0.8 * c for c in color)
    canvas.convex(p[0], panel, number)
    canvas.details(p[3:], color if shape['bars'] else dark)
    canvas.details(p[1:3], color if shape['bars'] else dark)


def paint_clutter(canvas: Canvas, item: Item, layout: Layout, look: Appearance) -> None:
    """A bin, a box or a parked motorcycle: seen, but not one of the classes."""
    x, y, scale = canvas.place(item.s, item.u)
    wide, tall = 0.5 * item.shape['wide'] * scale, item.shape['height'] * scale
    number = canvas.new_object(IGNORED)
    color = look.color('clutter', item.look[0], item.look[1], item.s)
    canvas.box(x - wide, y - tall, x + wide, y, color, number)
    lid = tuple(c * 0.6 for c in color)
    canvas.box(x - wide * 1.1, y - tall, x + wide * 1.1, y - tall * 0.85, lid, number)
