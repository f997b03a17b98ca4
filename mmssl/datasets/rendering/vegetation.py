"""Trees and bushes, whose ragged crowns are cut from noise, so that sky and walls are seen through them."""

import cv2
import numpy as np

from mmssl.datasets.rendering.canvas import TREE, Canvas
from mmssl.datasets.rendering.layout import Item, Layout
from mmssl.datasets.rendering.noise import SIDE, noise_patch
from mmssl.datasets.rendering.styles import Appearance


def paint_tree(canvas: Canvas, item: Item, layout: Layout, look: Appearance) -> None:
    """Paint the trunk and the crown of a tree."""
    shape, r = item.shape, item.look
    x, y, scale = canvas.place(item.s, item.u)
    if abs(x - 0.5 * canvas.size[1]) > 0.5 * canvas.size[1] + 2 * shape['wide'] * scale:
        return
    number = canvas.new_object(TREE)
    height, wide, trunk = shape['height'] * scale, shape['wide'] * scale, shape['trunk'] * scale
    bark = look.color('trunk', r[0], r[1], item.s)
    thick = max(shape['bole'] * scale * 2, 0.004 * canvas.size[0])
    fork = (x + 0.06 * (r[2] - 0.5) * height, y - trunk * 1.5)
    canvas.limb((x, y), fork, thick, bark, number)
    if thick > 0.012 * canvas.size[0]:
        canvas.limb(fork, (x - 0.5 * wide, y - 0.7 * height), 0.5 * thick, bark, number)
        canvas.limb(fork, (x + 0.45 * wide, y - 0.75 * height), 0.5 * thick, bark, number)
    color = look.color('tree', r[3], r[4], item.s)
    middle = y - 0.5 * (height + trunk)
    radii = (wide, 0.5 * (height - trunk))
    paint_foliage(canvas, (x, middle), radii, scale, shape['hole'], color, number, r, layout, look)


def paint_bush(canvas: Canvas, item: Item, layout: Layout, look: Appearance) -> None:
    """Paint a bush or a piece of hedge: a crown on the ground."""
    shape, r = item.shape, item.look
    x, y, scale = canvas.place(item.s, item.u)
    tall, wide = 0.55 * shape['height'] * scale, shape['wide'] * scale
    color = look.color('tree', r[3], r[4], item.s, 0.85)
    number = canvas.new_object(TREE)
    paint_foliage(canvas, (x, y - 0.9 * tall), (wide, tall), scale, 0.0, color, number, r, layout, look)


def paint_foliage(
    canvas: Canvas, centre: tuple, radii: tuple, scale: float, hole: float, color: tuple, number: int,
    r: np.ndarray, layout: Layout, look: Appearance,
) -> None:  # fmt: skip
    """Paint an ellipse of leaves with a ragged edge.

    Args:
        canvas (Canvas): What to paint on.
        centre (tuple): Column and row of the middle, pixels.
        radii (tuple): Half axes, pixels.
        scale (float): Pixels a metre, which sets the size of the leaves.
        hole (float): Share of holes, 0..1.
        color (tuple): BGR of the lit leaves.
        number (int): Object number.
        r (np.ndarray): (8,) uniform numbers of the item.
        layout (Layout): For the sun's side.
        look (Appearance): For flat or continuous shading.
    """
    (height, width), (rx, ry) = canvas.size, radii
    rx, ry = max(rx, 1.0), max(ry, 1.0)
    left, right = max(0, int(centre[0] - 1.35 * rx)), min(width, int(centre[0] + 1.35 * rx) + 2)
    top, bottom = max(0, int(centre[1] - 1.35 * ry)), min(height, int(centre[1] + 1.35 * ry) + 2)
    if right <= left or bottom <= top:
        return
    # 28 cells a metre near by; far away no finer than the table, so that a crown stays a crown.
    step = min(28 / scale, 2.5 * 240 / height)
    corner = ((left - centre[0]) * step + r[5] * SIDE, (top - centre[1]) * step + r[6] * SIDE)
    leaves = noise_patch('leaf', (bottom - top, right - left), step, corner)
    dx = ((np.arange(left, right, dtype=np.float32) - np.float32(centre[0])) / np.float32(rx))[None]
    dy = ((np.arange(top, bottom, dtype=np.float32) - np.float32(centre[1])) / np.float32(ry))[:, None]
    inside = dx * dx + dy * dy
    ragged = leaves.astype(np.float32)
    ragged *= np.float32(1 / 160)
    mask = inside + ragged < np.float32(1.75)
    if hole > 0.05:
        # Holes open where the noise is high, more of them near the rim.
        mask &= ragged + np.float32(0.25) * inside < np.float32(1.32 - 0.9 * hole)
    # Clusters of leaves, lit from above and from the sun's side; `game` has four flat tones of them.
    light = leaves * np.float32(-0.75 if look.photo else -0.5) + np.float32(220)
    light -= dy * np.float32(34)
    light += dx * np.float32(26 * layout.sun[0])
    light = np.clip(light, 20, 239, out=light).astype(np.uint8)
    if not look.photo:
        light = light // 40 * 40 + 20
    mask = mask.view(np.uint8)
    ramp = np.clip(np.array(color)[None] * (0.25 + np.arange(256)[:, None] / 180), 0, 255).astype(np.uint8)
    crown = cv2.LUT(cv2.merge([light, light, light]), ramp[None])
    cv2.copyTo(crown, mask, canvas.image[top:bottom, left:right])
    canvas.ids[top:bottom, left:right][mask > 0] = number
