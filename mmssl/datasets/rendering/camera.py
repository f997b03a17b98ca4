"""Perspective camera over a curved road: world coordinates to pixels.

World points are ``(s, u, h)`` in metres: distance along the viewing direction, offset to the right of the road's
centre line, height over the ground. Image positions are computed in units of the image height, so that the size
in pixels changes the resolution and nothing else (a wider picture sees more of the same street).
"""

import math
from dataclasses import dataclass

import numpy as np

NEAREST = 1.2
FARTHEST = 90.0


@dataclass(frozen=True)
class Camera:
    """Pinhole camera with the horizon as its pitch, over a road with a quadratic course.

    Args:
        height (float): Height of the camera over the road, metres.
        focal (float): Focal length in units of the image height.
        horizon (float): Row of the horizon as a fraction of the image height.
        roll (float): Rotation about the viewing direction, radians.
        lateral (float): Position to the right of the road's centre line, metres.
        heading (float): Slope of the road's course to the right at the camera, metres a metre.
        curvature (float): Second derivative of the road's course, 1/metre.
        rise (float): Second derivative of the ground's height, 1/metre.
    """

    height: float
    focal: float
    horizon: float
    roll: float
    lateral: float
    heading: float
    curvature: float
    rise: float

    @classmethod
    def draw(cls, rng: np.random.Generator, lateral: float) -> 'Camera':
        """Draw a camera that stands at ``lateral`` metres on the road."""
        bend = rng.uniform(-1, 1)
        return cls(
            height=rng.uniform(1.1, 1.9),
            focal=rng.uniform(1.05, 1.5),
            horizon=rng.uniform(0.41, 0.55),
            roll=rng.normal(0, 0.012),
            lateral=lateral,
            heading=rng.normal(0, 0.06) - 0.08 * bend,
            # Cubed: most streets are nearly straight, a few bend with a radius of 120 m.
            curvature=bend**3 / 120,
            # A crest sharper than this would hide the far road behind the near one.
            rise=rng.uniform(-0.0003, 0.0008),
        )

    def project(self, points: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """Project world points.

        Args:
            points (np.ndarray): (..., 3) float, metres, as ``(s, u, h)``; ``s`` below 1.2 m is set to 1.2 m.
            size (tuple[int, int]): Image height and width, pixels.

        Returns:
            np.ndarray: (..., 2) float64, column and row in pixels.
        """
        depth = np.maximum(points[..., 0], NEAREST)
        scale = self.focal * size[0] / depth
        half = 0.5 * depth * depth
        right = (points[..., 1] - self.lateral + self.heading * depth + self.curvature * half) * scale
        down = (self.height - points[..., 2] - self.rise * half) * scale
        cosine, sine = math.cos(self.roll), math.sin(self.roll)
        pixels = np.empty(right.shape + (2,))
        pixels[..., 0] = 0.5 * size[1] + right * cosine - down * sine
        pixels[..., 1] = self.horizon * size[0] + right * sine + down * cosine
        return pixels

    def place(self, s: float, u: float, h: float, size: tuple[int, int]) -> tuple[float, float, float]:
        """Project one point without arrays.

        Args:
            s (float): Distance, metres.
            u (float): Offset to the right, metres.
            h (float): Height, metres.
            size (tuple[int, int]): Image height and width, pixels.

        Returns:
            tuple[float, float, float]: Column, row and the number of pixels a metre at this distance.
        """
        s = max(s, NEAREST)
        scale = self.focal * size[0] / s
        right = (u - self.lateral + self.heading * s + 0.5 * self.curvature * s * s) * scale
        down = (self.height - h - 0.5 * self.rise * s * s) * scale
        cosine, sine = math.cos(self.roll), math.sin(self.roll)
        return (
            0.5 * size[1] + right * cosine - down * sine,
            self.horizon * size[0] + right * sine + down * cosine,
            scale,
        )

    def ground_coordinates(self, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        """Distance and offset of the ground under every pixel, for textures (the rise of the ground is left out).

        Args:
            size (tuple[int, int]): Image height and width, pixels.

        Returns:
            tuple[np.ndarray, np.ndarray]: ``s`` and ``u``, each (H, W) float32, metres; ``s`` is at most 200 m.
        """
        height, width = size
        cosine, sine = math.cos(self.roll), math.sin(self.roll)
        x = np.arange(width, dtype=np.float32)[None] - np.float32(0.5 * width)
        y = np.arange(height, dtype=np.float32)[:, None] - np.float32(self.horizon * height)
        down = np.maximum(y * np.float32(cosine) - x * np.float32(sine), np.float32(height * 0.005))
        s = np.minimum(np.float32(self.focal * self.height * height) / down, np.float32(200))
        right = (x * np.float32(cosine) + y * np.float32(sine)) / np.float32(self.focal * height)
        course = np.float32(self.lateral) - np.float32(self.heading) * s - np.float32(0.5 * self.curvature) * s * s
        return s, right * s + course
