"""Cast shadows and the texture of the ground: painted before anything stands on it."""

import math

import cv2
import numpy as np

from mmssl.datasets.rendering.canvas import SHIFT, Canvas
from mmssl.datasets.rendering.layout import Item, Layout
from mmssl.datasets.rendering.noise import SIDE, noise_patch, noise_table
from mmssl.datasets.rendering.styles import Appearance

SUNNY = 0.2  # a sun below this strength casts no shadow beside the one under the things


def paint_shadows(canvas: Canvas, layout: Layout, look: Appearance) -> None:
    """Darken the ground under and beside the things that will stand on it; in `photo` also texture it."""
    height = canvas.size[0]
    quads = [quad for item in layout.items for quad in shadow_quads(item, layout.sun, look.sun > SUNNY)]
    mask = np.zeros(canvas.size, np.uint8)
    if quads:
        world = np.zeros((len(quads), 4, 3))
        world[:, :, :2] = quads
        for quad in np.rint(canvas.project(world) * 2**SHIFT).astype(np.int32, order='C'):
            cv2.fillConvexPoly(mask, quad, 255, cv2.LINE_8, SHIFT)
    strength = look.sun + 0.18
    if not look.photo:
        shaded = cv2.LUT(canvas.image, (np.arange(256) * (1 - 0.75 * strength)).astype(np.uint8))
        mask[canvas.ids == 0] = 0
        cv2.copyTo(shaded, mask, canvas.image)
        return
    top = max(0, int((layout.camera.horizon - 0.06) * height))
    soft = cv2.GaussianBlur(mask[top:], (0, 0), 0.7 + 1.6 * (1 - look.sun) * height / 240)
    gain = 1 - soft.astype(np.float32) * np.float32(strength / 255)
    gain += _ground_texture(canvas, layout, look, top)
    gain[canvas.ids[top:] == 0] = 1
    factor = cv2.convertScaleAbs(gain, alpha=128)
    canvas.image[top:] = cv2.multiply(canvas.image[top:], cv2.merge([factor, factor, factor]), scale=1 / 128)


def shadow_quads(item: Item, sun: tuple, sunny: bool) -> list:
    """Outlines of an item's shadows on the ground.

    Args:
        item (Item): The item.
        sun (tuple): Side of the sun, length of a shadow a metre of height, and its drift along the street.
        sunny (bool): Whether the sun casts shadows; without it only a dark patch under the item is left.

    Returns:
        list: Quadrilaterals of four ``[s, u]``, metres.
    """
    s, u, shape, kind = item.s, item.u, item.shape, item.kind
    across, along = -sun[0] * sun[1], sun[2] * sun[1]
    if kind == 'building':
        if not sunny:
            return []
        end, h = shape['end'], shape['height']
        return [[[s, u], [end, u], [end + along * h, u + across * h], [s + along * h, u + across * h]]]
    if kind == 'car':
        c, q = abs(math.cos(shape['heading'])), abs(math.sin(shape['heading']))
        deep, half = shape['length'] * c + 1.9 * q + 0.1, 0.5 * (shape['length'] * q + 1.9 * c) + 0.1
        leans = (0.0, 1.2 * across) if sunny else (0.0,)
        return [
            [[s - 0.1, u - half + x], [s + deep, u - half + x], [s + deep, u + half + x], [s - 0.1, u + half + x]]
            for x in leans
        ]
    if kind in ('lamp', 'sign', 'signal', 'bollard', 'pedestrian', 'bicyclist', 'clutter') and sunny:
        foot, head = (0.12, 0.12) if kind in ('lamp', 'sign', 'signal', 'bollard') else (0.15, 0.35)
        far_s, far_u = s + along * shape['height'], u + across * shape['height']
        return [[[s, u - foot], [s, u + foot], [far_s, far_u + head], [far_s, far_u - head]]]
    if kind in ('pedestrian', 'bicyclist', 'clutter'):
        return [[[s - 0.2, u - 0.4], [s + 0.2, u - 0.4], [s + 0.2, u + 0.4], [s - 0.2, u + 0.4]]]
    if kind in ('tree', 'bush'):
        half = shape['wide'] + 0.15
        lean = 0.6 * shape['height'] * across if sunny else 0.0
        deep = (2.2 if kind == 'tree' else 0.5) * half
        u = u + lean
        return [[[s - deep, u - half], [s + deep, u - 0.6 * half], [s + deep, u + half], [s - deep, u + 0.6 * half]]]
    return []


def _ground_texture(canvas: Canvas, layout: Layout, look: Appearance, top: int) -> np.ndarray:
    """Texture of the ground in perspective from row ``top`` down, (H - top, W) float32 around 0."""
    height, width = canvas.size
    # The wear is drawn at half the resolution: the grain on top of it hides that.
    s, u = layout.camera.ground_coordinates((height // 2, width // 2))
    pick = look.rng.random(4)
    # Wear runs along the road: it is stretched four times in that direction.
    x, y = u[top // 2 :] * np.float32(6) + np.float32(128 + 99 * pick[0]), s[top // 2 :] * np.float32(1.5)
    wear = cv2.remap(noise_table('leaf'), x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
    shape = (height - top, width)
    wear = cv2.resize(wear, shape[::-1], interpolation=cv2.INTER_LINEAR)
    grain = noise_patch('grain', shape, 1.1 * 240 / height, (pick[1] * SIDE, pick[2] * SIDE))
    strength = 0.0008 + 0.0012 * pick[3]
    return cv2.addWeighted(wear, 0.0022, grain, strength, -128 * (0.0022 + strength), dtype=cv2.CV_32F)
