"""Tileable noise tables, made once a process, from which every texture is cut."""

from functools import cache

import cv2
import numpy as np

SIDE = 256


@cache
def noise_table(name: str) -> np.ndarray:
    """Tileable noise with a given spectrum.

    Args:
        name (str): 'cloud' (power law, large shapes), 'leaf' (band around 1/14 of the table), 'grain' (band around
            1/64 of the table) or 'white' (no correlation).

    Returns:
        np.ndarray: (256, 256) uint8, mean 128, standard deviation about 51 levels. Do not write to it.

    Raises:
        ValueError: If there is no such table.
    """
    names = ('cloud', 'leaf', 'grain', 'white')
    if name not in names:
        raise ValueError(f'noise table {name!r} is unknown, expected one of {names}')
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence([2064191, names.index(name)])))
    white = rng.standard_normal((SIDE, SIDE))
    fy, fx = np.meshgrid(np.fft.fftfreq(SIDE) * SIDE, np.fft.fftfreq(SIDE) * SIDE, indexing='ij')
    radius = np.hypot(fy, fx)
    if name == 'cloud':
        gain = 1 / np.maximum(radius, 1) ** 1.7
    elif name == 'leaf':
        gain = np.exp(-0.5 * (np.log(np.maximum(radius, 0.1) / 14) / 0.7) ** 2) / np.maximum(radius, 1)
    elif name == 'grain':
        gain = np.exp(-0.5 * (np.log(np.maximum(radius, 0.1) / 64) / 0.6) ** 2) / np.maximum(radius, 1)
    else:
        gain = np.ones_like(radius)
    gain[0, 0] = 0
    field = np.fft.ifft2(np.fft.fft2(white) * gain).real
    # Rounded to bytes: the last bits of a Fourier transform differ between machines, a mask must not.
    table = np.clip(np.rint(128 + 51 * field / field.std()), 0, 255).astype(np.uint8)
    table.setflags(write=False)
    return table


@cache
def _tiled(name: str) -> np.ndarray:
    return np.tile(noise_table(name), (2, 2))


def noise_patch(name: str, shape: tuple[int, int], step: float, offset: tuple[float, float]) -> np.ndarray:
    """Cut a patch from a noise table, repeated at its borders.

    Args:
        name (str): See :func:`noise_table`.
        shape (tuple[int, int]): Height and width of the patch, pixels.
        step (float): Cells of the table a pixel.
        offset (tuple[float, float]): Column and row of the patch's corner in the table, rounded down to cells.

    Returns:
        np.ndarray: ``shape`` uint8.
    """
    rows, columns = max(2, round(shape[0] * step)), max(2, round(shape[1] * step))
    x, y = int(offset[0]) % SIDE, int(offset[1]) % SIDE
    table = _tiled(name)
    if rows > SIDE or columns > SIDE:
        table = np.tile(noise_table(name), (1 + -(-rows // SIDE), 1 + -(-columns // SIDE)))
    cut = table[y : y + rows, x : x + columns]
    return cut if cut.shape == tuple(shape) else cv2.resize(cut, shape[::-1], interpolation=cv2.INTER_LINEAR)
