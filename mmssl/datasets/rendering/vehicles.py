"""Vehicles: boxes with a cabin, turned to any heading and projected point by point."""

import math

import numpy as np

from mmssl.datasets.rendering.canvas import CAR, CIRCLE, Canvas
from mmssl.datasets.rendering.layout import Item, Layout
from mmssl.datasets.rendering.styles import Appearance

# Width, height of the bonnet, height; then where the cabin begins and ends along the car (-0.5 rear, 0.5 front) at the
# bonnet's height and at the roof.
MODELS = (
    (1.68, 0.92, 1.46, -0.49, 0.30, -0.42, 0.08),
    (1.75, 0.90, 1.42, -0.36, 0.27, -0.22, 0.08),
    (1.85, 1.05, 1.75, -0.49, 0.28, -0.44, 0.12),
    (1.95, 1.15, 2.20, -0.50, 0.44, -0.49, 0.30),
    (2.45, 1.40, 3.10, -0.50, 0.50, -0.49, 0.49),
    (2.30, 1.30, 2.90, -0.50, 0.50, -0.50, 0.44),
)
SIGNS = np.array([[-1, -1], [-1, 1], [1, 1], [1, -1]])


def paint_car(canvas: Canvas, item: Item, layout: Layout, look: Appearance) -> None:
    """Paint one vehicle: hulls for its outline, then the two faces that are seen."""
    shape, r = item.shape, item.look
    length = shape['length']
    width, belt, top, base0, base1, roof0, roof1 = MODELS[shape['model']]
    cosine, sine = math.cos(shape['heading']), math.sin(shape['heading'])
    camera = layout.camera
    away_s, away_u = -shape['centre'], camera.lateral - camera.heading * shape['centre'] - item.u
    away_u -= 0.5 * camera.curvature * shape['centre'] ** 2
    end = 1 if away_s * cosine + away_u * sine > 0 else -1
    side = 1 if -away_s * sine + away_u * cosine > 0 else -1
    half_l, half_w = 0.5 * length, 0.5 * width
    roof_w = half_w * (0.82 if shape['model'] < 3 else 0.97)
    cabin0, cabin1 = (base0, roof0) if end < 0 else (base1, roof1)

    def face(points: list) -> list:
        """Along-across-height points; across is counted from the seen side."""
        return [(p[0] * length, p[1] * side, p[2]) for p in points]

    e, w = 0.5 * end, half_w
    body = [(x * half_l, y * half_w, h) for x, y in SIGNS for h in (0.28, belt)]
    cabin = [(x * length, y * half_w * 0.96, belt) for x in (base0, base1) for y in (-1, 1)]
    cabin += [(x * length, y * roof_w, top) for x in (roof0, roof1) for y in (-1, 1)]
    faces = face([
        # 16: end of the body, 20: side of the body, 24: screen, 28: side windows
        (e, -w, 0.3), (e, w, 0.3), (e, w, belt), (e, -w, belt),
        (-0.5, w, 0.3), (0.5, w, 0.3), (0.5, w, belt), (-0.5, w, belt),
        (cabin0, -0.86 * w, belt + 0.04), (cabin0, 0.86 * w, belt + 0.04),
        (cabin1, 0.9 * roof_w, top - 0.1), (cabin1, -0.9 * roof_w, top - 0.1),
        (base0 + 0.04, 0.96 * w, belt + 0.05), (base1 - 0.05, 0.96 * w, belt + 0.05),
        (roof1 - 0.01, roof_w, top - 0.1), (roof0 + 0.02, roof_w, top - 0.1),
        # 32: bumper, 36 and 40: lights, 44: plate, 48: bonnet or boot
        (e, -w, 0.28), (e, w, 0.28), (e, w, 0.48), (e, -w, 0.48),
        (e, -0.96 * w, 0.62), (e, -0.66 * w, 0.62), (e, -0.66 * w, 0.8), (e, -0.96 * w, 0.8),
        (e, 0.96 * w, 0.62), (e, 0.66 * w, 0.62), (e, 0.66 * w, 0.8), (e, 0.96 * w, 0.8),
        (e, -0.26 * w, 0.5), (e, 0.26 * w, 0.5), (e, 0.26 * w, 0.62), (e, -0.26 * w, 0.62),
        (e, -w, belt), (e, w, belt), (cabin0, w, belt), (cabin0, -w, belt),
        # 52: tyres on the end that is seen
        (e * 0.8, -w, 0.0), (e * 0.8, -0.72 * w, 0.0), (e * 0.8, -0.72 * w, 0.4), (e * 0.8, -w, 0.4),
        (e * 0.8, w, 0.0), (e * 0.8, 0.72 * w, 0.0), (e * 0.8, 0.72 * w, 0.4), (e * 0.8, w, 0.4),
    ])  # fmt: skip
    tyre = 0.33 if shape['model'] < 4 else 0.48
    wheels = [(x * length + c * tyre, w * side * 1.005, tyre + d * tyre) for x in (-0.31, 0.31) for c, d in CIRCLE]
    local = np.array(body + cabin + faces + wheels)
    world = np.empty_like(local)
    world[:, 0] = shape['centre'] + local[:, 0] * cosine - local[:, 1] * sine
    world[:, 1] = item.u + local[:, 0] * sine + local[:, 1] * cosine
    world[:, 2] = local[:, 2]
    p = canvas.project(world)
    left, right = p[:8, 0].min(), p[:8, 0].max()
    if right < 0 or left > canvas.size[1]:
        return

    number = canvas.new_object(CAR)
    s = shape['centre']
    sun = layout.sun[0]
    paint = look.color('car', r[0], r[1], s)
    lit = look.facing(sun * (1 if away_u > 0 else -1) * 0.8)
    flank = tuple(min(255, c * lit) for c in paint)
    front = tuple(min(255, c * look.facing(-0.4)) for c in paint)
    glass, rubber = look.color('glass', r[2], r[3], s), look.color('tyre', 0, r[4], s)
    canvas.convex(p[52:56], rubber, number)
    canvas.convex(p[56:60], rubber, number)
    canvas.hull(p[:8], paint, number)
    canvas.hull(p[8:16], tuple(min(255, 1.08 * c) for c in paint), number)
    canvas.convex(p[20:24], flank)
    canvas.convex(p[16:20], front)
    canvas.convex(p[60:76], rubber, number)
    canvas.convex(p[76:92], rubber, number)
    if right - left < 0.05 * canvas.size[0]:
        canvas.convex(p[24:28], glass)
        return
    canvas.convex(p[28:32], tuple(0.85 * c for c in glass))
    canvas.convex(p[24:28], glass)
    canvas.convex(p[48:52], tuple(min(255, 1.1 * c) for c in paint))
    canvas.convex(p[32:36], tuple(0.55 * c for c in front))
    lamp = (40, 40, 170) if end < 0 else (200, 215, 220)
    canvas.details(p[36:44].reshape(2, 4, 2), lamp)
    canvas.convex(p[44:48], look.color('marking', 0, r[5], s))
    for wheel in (p[60:76], p[76:92]):
        canvas.convex(wheel * 0.5 + wheel.mean(0) * 0.5, look.color('pole', r[6], 0.5, s))
    if r[7] < 0.5:
        # A pillar between the side windows.
        canvas.limb(tuple(p[28:30].mean(0)), tuple(p[30:32].mean(0)), max(1.0, 0.006 * canvas.size[0]), flank)
