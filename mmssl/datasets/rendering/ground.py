"""Sky, horizon and ground: everything that does not stand on the street."""

import cv2
import numpy as np

from mmssl.datasets.rendering.camera import FARTHEST
from mmssl.datasets.rendering.canvas import BUILDING, IGNORED, PAVEMENT, ROAD, TREE, Canvas
from mmssl.datasets.rendering.layout import Layout
from mmssl.datasets.rendering.noise import SIDE, noise_patch, noise_table
from mmssl.datasets.rendering.styles import Appearance

ALONG = np.geomspace(1.2, FARTHEST, 22)


def paint_sky(canvas: Canvas, layout: Layout, look: Appearance) -> None:
    """Fill the picture with sky: a gradient with clouds."""
    u, (height, width) = layout.look, canvas.size
    pick = look.rng.random(6)
    rows = min(height, int((layout.camera.horizon + 0.12) * height))
    high = np.array(look.color('sky', pick[0], pick[1]))
    low = 0.45 * high + 0.55 * np.array(look.color('cloud', pick[2], 0.5))
    cloud = look.color('cloud', pick[4], pick[5])
    coarse = (max(8, rows // 4), max(8, width // 4)) if look.photo else (rows, width)
    step = 0.35 * 240 / height * rows / coarse[0]
    clouds = noise_patch('cloud', coarse, step, (u[0] * SIDE, u[1] * SIDE))
    ramp = np.linspace(0, 1.2, coarse[0], dtype=np.float32).clip(0, 1)[:, None, None]
    air = high.astype(np.float32) * (1 - ramp) + low.astype(np.float32) * ramp
    threshold = 110 + 60 * pick[3]
    if look.photo:
        opacity = np.clip((clouds.astype(np.float32) - np.float32(threshold)) * np.float32(0.012), 0, 0.85)[..., None]
        air = (air * (1 - opacity) + np.array(cloud, np.float32) * opacity).clip(0, 255).astype(np.uint8)
        canvas.image[:rows] = cv2.resize(air, (width, rows), interpolation=cv2.INTER_LINEAR)
    else:
        canvas.image[:rows] = air.clip(0, 255).astype(np.uint8)
        canvas.image[:rows][clouds > threshold + 25] = cloud


def paint_horizon(canvas: Canvas, layout: Layout, look: Appearance) -> None:
    """Close the end of the street with far roofs, trees and things too far to name."""
    u = layout.look
    edges = np.linspace(-130, 130, 49)
    height = canvas.size[0]
    cells = noise_table('white')[int(u[2] * 255)]
    for label, kind, shift, low, high, share in (
        (BUILDING, 'building', 0, 3.5, 15.0, 0.75),
        (TREE, 'tree', 64, 2.5, 9.0, 0.6),
        (IGNORED, 'clutter', 128, 0.8, 2.6, 0.5),
    ):
        level = cells[shift : shift + 49] / 255.0
        tops = np.where(level < share, low + (high - low) * (level / share) ** 1.5, 0.0)
        if label == TREE:
            xs, ys = edges, np.convolve(tops, [0.25, 0.5, 0.25], 'same')
        else:
            # Steps, three cells wide.
            xs, ys = np.repeat(edges, 2)[1:-1], np.repeat(np.repeat(tops[::3], 3)[:48], 2)
        points = np.stack([np.full(len(xs), FARTHEST), xs, ys], 1)
        skyline = canvas.project(points)
        ends = np.array([[skyline[-1, 0], height * 2.0], [skyline[0, 0], height * 2.0]])
        color = look.color(kind, u[3], u[4], depth=FARTHEST * 1.4)
        canvas.polygon(np.concatenate([skyline, ends]), color, canvas.new_object(label))


def _strip(left: float, right: float, s: np.ndarray = ALONG) -> np.ndarray:
    """World points of a band on the ground between two offsets."""
    band = np.zeros((2 * len(s), 3))
    band[:, 0] = np.concatenate([s, s[::-1]])
    band[: len(s), 1] = left
    band[len(s) :, 1] = right
    return band


def paint_ground(canvas: Canvas, layout: Layout, look: Appearance) -> None:
    """Grass or paving, pavements, kerbs, the road and its side roads, and what is painted on them."""
    u, half = layout.look, layout.half
    grass = look.color('grass', u[5], u[6])
    paving = look.color('pavement', u[7], u[8])
    road = look.color('road', u[9], u[10])
    kerb = look.color('kerb', u[11], u[12])
    paving_id, road_id = canvas.new_object(PAVEMENT), canvas.new_object(ROAD)
    kerb_id = canvas.new_object(IGNORED) if u[13] < 0.25 else paving_id
    for side in (-1, 1):
        outside = canvas.project(_strip(side * (half - 0.5), side * 150))
        if layout.verge[side]:
            canvas.polygon(outside, grass, canvas.new_object(TREE))
        elif layout.pavements[side] == 0 or u[14] < 0.3:
            # A forecourt: people drive and park on it, so it counts as road.
            canvas.polygon(outside, road, road_id)
        else:
            canvas.polygon(outside, look.color('pavement', u[15], u[16]), paving_id)
        wide = layout.pavements[side]
        if wide:
            band = canvas.project(_strip(side * (half - 0.2), side * (half + wide)))
            canvas.polygon(band, paving, paving_id)
            if not look.photo or u[17] < 0.5:
                seams = np.arange(2.0, 30.0, 1.2 + u[18])
                seam = np.stack([_strip(side * half, side * (half + wide), np.array([s, s + 0.05])) for s in seams])
                canvas.details(canvas.project(seam), tuple(0.85 * c for c in paving))
            canvas.polygon(canvas.project(_strip(side * half, side * (half + 0.18))), kerb, kerb_id)
    canvas.polygon(canvas.project(_strip(-half, half)), road, road_id)
    for near, far, side in layout.junctions:
        corner = 1.2
        mouth = [
            [near - corner, side * (half - 0.3)], [near, side * (half + corner)], [near, side * 150],
            [far, side * 150], [far, side * (half + corner)], [far + corner, side * (half - 0.3)],
        ]  # fmt: skip
        points = np.zeros((6, 3))
        points[:, :2] = mouth
        canvas.polygon(canvas.project(points), road, road_id)
    _paint_patches(canvas, layout, look, road)
    _paint_markings(canvas, layout, look)


def _paint_patches(canvas: Canvas, layout: Layout, look: Appearance, road: tuple) -> None:
    """Repairs, manholes and tyre tracks on the road."""
    cells = noise_table('white')[int(layout.look[19] * 255)] / 255.0
    count = 9 if look.photo else 4
    for i in range(count):
        a, b, c, d, e = cells[5 * i : 5 * i + 5]
        s = 3.0 * 10**a
        left = layout.half * (2 * b - 1.2)
        patch = _strip(left, left + 0.4 + 2.2 * c, np.array([s, s + 0.4 + 5 * d]))
        canvas.details(canvas.project(patch)[None], tuple(v * (0.76 + 0.42 * e) for v in road))


def _paint_markings(canvas: Canvas, layout: Layout, look: Appearance) -> None:
    """Lane lines, kerb lines, stop lines and zebra crossings."""
    u, half = layout.look, layout.half
    white = look.color('marking', u[20], 0.3 + 0.5 * u[21])
    yellow = look.color('yellow', 0.0, u[21])
    dash, gap = 1.5 + 2.5 * u[22], 2 + 4 * u[23]
    starts = np.arange(1.3 + u[24] * dash, 60, dash + gap)
    bands = []
    if u[25] < 0.8:
        bands += [_strip(-0.07, 0.07, np.array([s, s + dash])) for s in starts]
    if u[25] > 0.55 and half > 4.5:
        for offset in (-half / 2, half / 2):
            bands += [_strip(offset - 0.06, offset + 0.06, np.array([s, s + 1.0])) for s in starts]
    for near, far, side in layout.junctions:
        stop = near - 1.5 if side < 0 else far + 1.5
        lane = (0.1, half - 0.3) if side > 0 else (-half + 0.3, -0.1)
        bands.append(_strip(*lane, np.array([max(stop, 2.0), max(stop, 2.0) + 0.35])))
    if u[26] < 0.22:
        at = 7 + 22 * u[27]
        for offset in np.arange(-half + 0.3, half - 0.3, 1.0):
            bands.append(_strip(offset, offset + 0.5, np.array([at, at + 2.6])))
    if bands:
        canvas.details(canvas.project(np.stack(bands)), white)
    kerb_lines = u[28]
    if kerb_lines < 0.6:
        color = yellow if kerb_lines < 0.35 else white
        for side in (-1, 1):
            canvas.polygon(canvas.project(_strip(side * (half - 0.42), side * (half - 0.3))), color)
            if kerb_lines < 0.25:
                canvas.polygon(canvas.project(_strip(side * (half - 0.22), side * (half - 0.1))), color)


def paint_bonnet(canvas: Canvas, layout: Layout, look: Appearance) -> None:
    """The bonnet of the camera's own car, without a label, in a third of the pictures."""
    u, (height, width) = layout.look, canvas.size
    if u[29] > 0.36:
        return
    number = canvas.new_object(IGNORED)
    rise = height * (0.02 + 0.06 * u[30])
    x = np.linspace(-0.1, 1.1, 17)
    y = height - rise * (1 - np.abs(2 * x - 1 - 0.5 * (u[31] - 0.5)) ** 2.5)
    edge = np.stack([x * width, y], 1)
    color = look.color('ego', u[30], u[31])
    canvas.polygon(np.concatenate([edge, [[1.1 * width, 2.0 * height], [-0.1 * width, 2.0 * height]]]), color, number)
    shine = tuple(min(255, 1.3 * c + 10) for c in color)
    canvas.polygon(np.concatenate([edge, edge[::-1] + (0, 0.006 * height)]), shine)
