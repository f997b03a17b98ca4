"""Renders one street scene: picture, classes and instances."""

from dataclasses import dataclass

import numpy as np

from mmssl.datasets.rendering.buildings import paint_building
from mmssl.datasets.rendering.canvas import COUNTABLE, Canvas
from mmssl.datasets.rendering.furniture import (
    paint_bollard,
    paint_clutter,
    paint_fence,
    paint_hanging,
    paint_lamp,
    paint_sign,
    paint_signal,
)
from mmssl.datasets.rendering.ground import paint_bonnet, paint_ground, paint_horizon, paint_sky
from mmssl.datasets.rendering.layout import draw_layout
from mmssl.datasets.rendering.people import paint_bicyclist, paint_pedestrian
from mmssl.datasets.rendering.shadows import paint_shadows
from mmssl.datasets.rendering.styles import STYLES, Appearance
from mmssl.datasets.rendering.vegetation import paint_bush, paint_tree
from mmssl.datasets.rendering.vehicles import paint_car

SMALLEST = 64
PAINTERS = {
    'building': paint_building, 'tree': paint_tree, 'bush': paint_bush, 'lamp': paint_lamp, 'bollard': paint_bollard,
    'sign': paint_sign, 'hanging': paint_hanging, 'signal': paint_signal, 'fence': paint_fence, 'car': paint_car,
    'pedestrian': paint_pedestrian, 'bicyclist': paint_bicyclist, 'clutter': paint_clutter,
}  # fmt: skip

UPRIGHT = ('lamp', 'bollard', 'sign', 'hanging', 'signal', 'pedestrian', 'bicyclist', 'clutter')
"""Kinds that reach less than three metres to the sides: they are left out where they cannot be seen."""


@dataclass(frozen=True)
class StreetScene:
    """One rendered street scene.

    Args:
        image (np.ndarray): (H, W, 3) uint8, BGR.
        semantic (np.ndarray): (H, W) uint8, CamVid's classes 0..10, 255 for ignored pixels.
        instances (np.ndarray): (H, W) int32, 0 for none, then 1, 2, ... for cars, pedestrians and bicyclists.
    """

    image: np.ndarray
    semantic: np.ndarray
    instances: np.ndarray


def check_request(seed: int, index: int, size: tuple[int, int], style: str) -> tuple[int, int]:
    """Check the arguments of :func:`render_street_scene`.

    Returns:
        tuple[int, int]: The size as plain integers.

    Raises:
        ValueError: For a negative seed or index, a side below 64 pixels, or an unknown style.
    """
    if style not in STYLES:
        raise ValueError(f'style is {style!r}, expected one of {STYLES}')
    if len(size) != 2 or min(size) < SMALLEST:
        raise ValueError(f'size is {tuple(size)}, expected (height, width), each at least {SMALLEST}')
    if seed < 0 or index < 0:
        raise ValueError(f'seed is {seed} and index is {index}, expected both to be at least 0')
    return int(size[0]), int(size[1])


def render_street_scene(seed: int, index: int, size: tuple[int, int] = (240, 320), style: str = 'game') -> StreetScene:
    """Render a street scene, the same one on every machine and in every process.

    The layout depends on ``(seed, index)`` only: both styles have the same masks, and the size changes the
    resolution.

    Args:
        seed (int): Number of the collection, at least 0.
        index (int): Number of the scene in it, at least 0.
        size (tuple[int, int]): Height and width, pixels, each at least 64.
        style (str): 'game' (flat, clean) or 'photo' (texture, light, blur, noise).

    Returns:
        StreetScene: Picture, classes and instances.

    Raises:
        ValueError: For arguments outside of these ranges.
    """
    size = check_request(seed, index, size, style)
    layout = draw_layout(seed, index)
    stream = np.random.SeedSequence([seed, index, 1 + STYLES.index(style)])
    look = Appearance(style, np.random.Generator(np.random.PCG64(stream)))
    canvas = Canvas(size, layout.camera)
    paint_sky(canvas, layout, look)
    paint_horizon(canvas, layout, look)
    paint_ground(canvas, layout, look)
    paint_shadows(canvas, layout, look)
    for item in layout.items:
        if item.kind in UPRIGHT:
            x, _, scale = canvas.place(item.s, item.u)
            if abs(x - 0.5 * size[1]) > 0.5 * size[1] + 3 * scale:
                continue
        PAINTERS[item.kind](canvas, item, layout, look)
    paint_bonnet(canvas, layout, look)
    semantic, instances = resolve_objects(canvas.ids, canvas.labels)
    return StreetScene(look.finish(canvas.image, canvas.ids, canvas.labels), semantic, instances)


def resolve_objects(ids: np.ndarray, labels: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Turn object numbers into classes and instances.

    Args:
        ids (np.ndarray): (H, W) uint16, object numbers.
        labels (list[int]): Class of each object number.

    Returns:
        tuple[np.ndarray, np.ndarray]: Classes (H, W) uint8 and instances (H, W) int32; the visible instances are
        numbered 1, 2, ... without gaps.
    """
    table = np.array(labels, np.uint8)
    ids = ids.astype(np.intp)
    seen = np.bincount(ids.ravel(), minlength=len(labels)) > 0
    counted = seen & np.isin(table, COUNTABLE)
    numbers = np.where(counted, np.cumsum(counted), 0).astype(np.int32)
    return table[ids], numbers[ids]
