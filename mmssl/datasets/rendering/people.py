"""Pedestrians and bicyclists: flat figures of limbs that face the camera."""

import numpy as np

from mmssl.datasets.rendering.canvas import BICYCLIST, CIRCLE, PEDESTRIAN, Canvas
from mmssl.datasets.rendering.layout import Item, Layout
from mmssl.datasets.rendering.styles import Appearance


def paint_pedestrian(canvas: Canvas, item: Item, layout: Layout, look: Appearance) -> None:
    """Paint a person on foot."""
    shape, r = item.shape, item.look
    x, y, scale = canvas.place(item.s, item.u)
    tall = shape['height'] * scale
    number = canvas.new_object(PEDESTRIAN)
    stout, turn, stride = shape['wide'] * tall, shape['turn'], shape['stride'] * tall
    coat = look.color('cloth', r[0], r[1], item.s)
    legs = look.color('cloth', r[2], r[3], item.s, 0.85)
    skin = look.color('skin', r[4], r[5], item.s)
    hip, shoulder = y - 0.5 * tall, y - 0.82 * tall
    behind = tuple(0.8 * c for c in legs)
    canvas.limb((x - 0.03 * stout, hip), (x - stride - 0.02 * stout, y), 0.085 * stout, behind, number)
    canvas.limb((x + 0.03 * stout, hip), (x + stride + 0.02 * stout, y), 0.085 * stout, legs, number)
    hem = hip + (0.16 * tall if r[6] < 0.35 else 0.04 * tall)
    torso = np.array([
        [x - 0.10 * stout, shoulder + 0.03 * tall], [x - 0.05 * stout, shoulder - 0.02 * tall],
        [x + 0.05 * stout, shoulder - 0.02 * tall], [x + 0.10 * stout, shoulder + 0.03 * tall],
        [x + 0.095 * stout, hem], [x - 0.095 * stout, hem],
    ])  # fmt: skip
    canvas.convex(torso, coat, number)
    arm = tuple(0.82 * c for c in coat)
    for hand in (-1, 1):
        joint = (x + hand * 0.1 * stout, shoulder + 0.03 * tall)
        canvas.limb(joint, (x + hand * (0.12 * stout + 0.5 * stride), hip + 0.02 * tall), 0.055 * stout, arm, number)
    if r[7] < 0.4:
        bag = look.color('cloth', r[7] / 0.4, r[1], item.s)
        canvas.box(x + turn * 0.08 * stout, hip - 0.12 * tall, x + turn * 0.19 * stout, hip + 0.06 * tall, bag, number)
    canvas.disc(x, y - 0.925 * tall, 0.058 * tall, 0.078 * tall, skin, number)
    hair = look.color('trunk', r[5], r[6], item.s, 0.6)
    canvas.disc(x - turn * 0.012 * tall, y - 0.955 * tall, 0.06 * tall, 0.05 * tall, hair, number)


def paint_bicyclist(canvas: Canvas, item: Item, layout: Layout, look: Appearance) -> None:
    """Paint a rider with the bicycle; `slant` is 1 seen from the side and small seen from behind."""
    shape, r = item.shape, item.look
    x, y, scale = canvas.place(item.s, item.u)
    number = canvas.new_object(BICYCLIST)
    tall, ahead = shape['height'] / 1.75 * scale, shape['turn'] * shape['slant'] * scale
    coat = look.color('cloth', r[0], r[1], item.s)
    legs = look.color('cloth', r[2], r[3], item.s, 0.8)
    rubber, metal = look.color('tyre', 0, r[4], item.s), look.color('car', r[5], r[6], item.s)
    for at in (-0.52, 0.52):
        spread = max(0.34 * abs(ahead), 0.06 * scale)
        rim = CIRCLE * (spread, 0.34 * scale) + (x + at * ahead, y - 0.34 * scale)
        canvas.convex(rim, rubber, number)
        if shape['slant'] > 0.5:
            ground = tuple(0.55 * c + 50 for c in rubber)
            canvas.convex(rim * 0.7 + rim.mean(0) * 0.3, ground)
    saddle, crank = (x - 0.2 * ahead, y - 0.9 * tall), (x, y - 0.32 * scale)
    bar = (x + 0.4 * ahead, y - 1.0 * scale)
    thin = 0.05 * scale
    for a, b in ((saddle, crank), (crank, bar), (bar, (x + 0.52 * ahead, y - 0.34 * scale))):
        canvas.limb(a, b, thin, metal, number)
    shoulder = (x + 0.12 * ahead, y - 1.42 * tall)
    broad = 0.26 * scale + 0.16 * (1 - shape['slant']) * scale
    knee = (x + 0.22 * ahead + 0.06 * scale, y - 0.72 * tall)
    canvas.limb(saddle, knee, 0.16 * scale, legs, number)
    canvas.limb(knee, (x + 0.05 * ahead + 0.04 * scale, y - 0.25 * scale), 0.12 * scale, legs, number)
    canvas.limb((saddle[0], saddle[1] + 0.05 * scale), shoulder, broad, coat, number)
    canvas.limb(shoulder, bar, 0.1 * scale, tuple(0.82 * c for c in coat), number)
    head = (shoulder[0] + 0.1 * ahead, shoulder[1] - 0.2 * tall)
    canvas.disc(head[0], head[1], 0.11 * tall, 0.14 * tall, look.color('skin', r[4], r[5], item.s), number)
    helmet = look.color('cloth', r[7], r[6], item.s)
    canvas.disc(head[0], head[1] - 0.06 * tall, 0.125 * tall, 0.09 * tall, helmet, number)
