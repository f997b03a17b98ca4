"""Image and object map that are painted together, polygon by polygon, from far to near."""

import cv2
import numpy as np

from mmssl.datasets.rendering.camera import Camera

SHIFT = 4
CIRCLE = np.stack([np.cos(np.arange(16) * np.pi / 8), np.sin(np.arange(16) * np.pi / 8)], 1)
SKY, BUILDING, POLE, ROAD, PAVEMENT, TREE, SIGN, FENCE, CAR, PEDESTRIAN, BICYCLIST = range(11)
IGNORED = 255
COUNTABLE = (CAR, PEDESTRIAN, BICYCLIST)


class Canvas:
    """Colour image with a map of object numbers beside it.

    Args:
        size (tuple[int, int]): Height and width, pixels.
        camera (Camera): Projection of world points.

    Attributes:
        image (np.ndarray): (H, W, 3) uint8, BGR.
        ids (np.ndarray): (H, W) uint16, the number of the object seen in a pixel.
        labels (list[int]): The class of each object number.
    """

    def __init__(self, size: tuple[int, int], camera: Camera):
        self.size = size
        self.camera = camera
        self.image = np.zeros((*size, 3), np.uint8)
        self.ids = np.zeros(size, np.uint16)
        self.labels = [SKY]

    def new_object(self, label: int) -> int:
        """Begin an object of a class (0..10, or 255 for an ignored one) and return its number."""
        self.labels.append(label)
        return len(self.labels) - 1

    def project(self, points: np.ndarray) -> np.ndarray:
        """World points (..., 3), metres, to pixels (..., 2)."""
        return self.camera.project(points, self.size)

    def place(self, s: float, u: float, h: float = 0.0) -> tuple[float, float, float]:
        """Column, row and pixels a metre of one world point."""
        return self.camera.place(s, u, h, self.size)

    def polygon(self, pixels: np.ndarray, color: tuple, number: int | None = None) -> None:
        """Fill a polygon, which need not be convex.

        Args:
            pixels (np.ndarray): (N, 2) float, columns and rows.
            color (tuple): BGR, 0..255.
            number (int, optional): Object number; None paints the image only (a detail on an object).
        """
        fixed = np.rint(pixels * 16).astype(np.int32, order='C')
        cv2.fillPoly(self.image, [fixed], color, cv2.LINE_AA, SHIFT)
        if number is not None:
            cv2.fillPoly(self.ids, [fixed], number, cv2.LINE_8, SHIFT)

    def convex(self, pixels: np.ndarray, color: tuple, number: int | None = None) -> None:
        """Fill a convex polygon: :meth:`polygon` in less time."""
        fixed = np.rint(pixels * 16).astype(np.int32, order='C')
        cv2.fillConvexPoly(self.image, fixed, color, cv2.LINE_AA, SHIFT)
        if number is not None:
            cv2.fillConvexPoly(self.ids, fixed, number, cv2.LINE_8, SHIFT)

    def details(self, pixels: np.ndarray, color: tuple) -> None:
        """Fill many small polygons that do not overlap.

        Args:
            pixels (np.ndarray): (M, N, 2) float, columns and rows.
            color (tuple): BGR, 0..255.
        """
        if len(pixels):
            cv2.fillPoly(self.image, list(np.rint(pixels * 16).astype(np.int32, order='C')), color, cv2.LINE_8, SHIFT)

    def hull(self, pixels: np.ndarray, color: tuple, number: int | None = None) -> None:
        """Fill the convex hull of points (N, 2)."""
        self.convex(cv2.convexHull(pixels.astype(np.float32))[:, 0], color, number)

    def box(self, x0: float, y0: float, x1: float, y1: float, color: tuple, number: int | None = None) -> None:
        """Fill an upright rectangle given by two corners, pixels."""
        self.convex(np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]]), color, number)

    def disc(self, x: float, y: float, rx: float, ry: float, color: tuple, number: int | None = None) -> None:
        """Fill an ellipse with centre ``(x, y)`` and half axes ``(rx, ry)``, pixels."""
        self.convex(CIRCLE * (rx, ry) + (x, y), color, number)

    def limb(self, a: tuple, b: tuple, wide: float, color: tuple, number: int | None = None) -> None:
        """Fill a thick line from ``a`` to ``b`` (pixels) that is ``wide`` pixels thick."""
        dx, dy = b[0] - a[0], b[1] - a[1]
        scale = 0.5 * wide / max((dx * dx + dy * dy) ** 0.5, 1e-6)
        nx, ny = -dy * scale, dx * scale
        corners = [[a[0] + nx, a[1] + ny], [b[0] + nx, b[1] + ny], [b[0] - nx, b[1] - ny], [a[0] - nx, a[1] - ny]]
        self.convex(np.array(corners), color, number)
