"""The two appearances, `game` and `photo`: palettes, light and what a camera adds.

A style never moves a label: it gives colours to the same layout, and it processes the finished picture.
"""

import math

import cv2
import numpy as np

from mmssl.datasets.rendering.canvas import BUILDING, CAR, FENCE, PAVEMENT, ROAD, SKY, TREE
from mmssl.datasets.rendering.noise import noise_patch

STYLES = ('game', 'photo')

# RGB. Many entries are greys and browns on purpose: a colour must not tell the class.
GAME = {
    'sky': [(120, 178, 232), (150, 200, 240), (176, 196, 214), (236, 196, 150)],
    'cloud': [(245, 248, 250), (225, 228, 232)],
    'road': [(104, 104, 112), (122, 120, 122), (92, 98, 110)],
    'pavement': [(168, 162, 152), (150, 152, 158), (186, 170, 150), (128, 126, 128)],
    'kerb': [(196, 194, 188), (150, 150, 150)],
    'grass': [(112, 162, 74), (134, 158, 80), (92, 138, 82), (158, 150, 100)],
    'marking': [(240, 240, 236)],
    'yellow': [(232, 196, 70)],
    'building': [(196, 120, 92), (222, 204, 168), (170, 172, 180), (150, 100, 84), (206, 216, 222), (124, 128, 140),
                 (178, 158, 132), (112, 140, 132)],
    'roof': [(120, 82, 76), (92, 96, 108), (146, 98, 78)],
    'glass': [(86, 116, 146), (120, 156, 180), (64, 78, 98)],
    'frame': [(236, 234, 228), (96, 72, 62)],
    'shop': [(150, 54, 54), (40, 92, 120), (52, 104, 74), (70, 62, 78), (188, 150, 74)],
    'tree': [(64, 132, 58), (94, 150, 66), (48, 106, 72), (122, 128, 62), (86, 112, 96)],
    'trunk': [(112, 84, 62), (92, 84, 80)],
    'pole': [(128, 132, 138), (84, 92, 100), (160, 164, 166), (70, 104, 92)],
    'sign': [(206, 52, 48), (40, 92, 178), (238, 238, 234), (228, 184, 56), (46, 128, 84), (72, 76, 84)],
    'fence': [(142, 110, 80), (96, 100, 108), (176, 170, 160), (74, 96, 84), (150, 128, 116)],
    'car': [(186, 48, 48), (52, 88, 160), (214, 216, 220), (72, 76, 84), (146, 150, 156), (110, 108, 110),
            (224, 190, 64), (58, 116, 88), (196, 184, 164)],
    'tyre': [(42, 42, 48)],
    'skin': [(226, 178, 148), (150, 104, 78), (96, 68, 54)],
    'cloth': [(60, 64, 84), (150, 60, 64), (88, 128, 160), (206, 198, 180), (92, 92, 98), (64, 98, 78),
              (196, 150, 70), (120, 100, 90)],
    'clutter': [(74, 96, 76), (110, 110, 118), (164, 84, 52), (52, 58, 70)],
    'ego': [(58, 64, 76), (132, 52, 50), (168, 172, 178)],
}  # fmt: skip
PHOTO = {
    'sky': [(246, 248, 248), (214, 224, 238), (188, 206, 232), (204, 206, 208), (168, 176, 188)],
    'cloud': [(250, 250, 250), (222, 222, 224), (160, 164, 172)],
    'road': [(96, 94, 92), (112, 108, 102), (82, 84, 88), (104, 98, 90), (128, 124, 120)],
    'pavement': [(108, 104, 100), (124, 116, 106), (94, 94, 96), (136, 124, 112), (86, 80, 76)],
    'kerb': [(132, 128, 122), (100, 98, 96)],
    'grass': [(92, 104, 58), (112, 110, 68), (72, 86, 52), (108, 100, 76)],
    'marking': [(206, 206, 200), (172, 170, 164)],
    'yellow': [(176, 150, 84)],
    'building': [(124, 92, 78), (152, 138, 116), (110, 108, 108), (88, 70, 62), (168, 164, 158), (76, 76, 80),
                 (132, 112, 94), (96, 92, 84), (188, 180, 166), (104, 84, 74)],
    'roof': [(84, 70, 66), (70, 70, 74), (98, 78, 68)],
    'glass': [(48, 54, 60), (74, 84, 94), (36, 36, 40), (116, 128, 138)],
    'frame': [(178, 176, 170), (72, 62, 56)],
    'shop': [(98, 46, 44), (40, 60, 78), (48, 66, 54), (54, 50, 54), (126, 108, 74)],
    'tree': [(74, 78, 46), (94, 92, 60), (58, 64, 48), (104, 94, 72), (66, 60, 48), (84, 92, 74)],
    'trunk': [(76, 66, 56), (62, 60, 56)],
    'pole': [(92, 92, 92), (62, 64, 66), (122, 122, 120), (54, 64, 60), (150, 148, 142)],
    'sign': [(150, 48, 46), (48, 74, 126), (188, 186, 180), (168, 142, 66), (58, 88, 70), (46, 48, 50),
             (118, 112, 104)],
    'fence': [(98, 84, 68), (66, 68, 70), (116, 112, 104), (54, 62, 56), (104, 92, 82)],
    'car': [(120, 44, 44), (48, 62, 92), (176, 178, 180), (46, 46, 50), (104, 106, 110), (84, 84, 86), (136, 138, 140),
            (42, 62, 54), (126, 118, 104)],
    'tyre': [(28, 28, 30)],
    'skin': [(168, 130, 108), (112, 82, 64), (76, 58, 48)],
    'cloth': [(38, 40, 48), (84, 46, 48), (60, 72, 92), (132, 126, 116), (56, 56, 58), (48, 58, 50), (30, 30, 32),
              (86, 76, 68)],
    'clutter': [(54, 60, 54), (72, 72, 74), (104, 66, 48), (36, 38, 42)],
    'ego': [(34, 36, 40), (84, 42, 42), (112, 114, 118)],
}  # fmt: skip
PALETTES = {'game': GAME, 'photo': PHOTO}
# Strength of the texture on a class in `photo`; that of the ground is laid in perspective beforehand.
TEXTURE = {SKY: 0.0, ROAD: 0.0, PAVEMENT: 0.0, BUILDING: 0.13, TREE: 0.22, CAR: 0.08, FENCE: 0.15}
TEXTURE_ELSEWHERE = 0.08


class Appearance:
    """Colours and light of one picture.

    Args:
        style (str): 'game' or 'photo'.
        rng (np.random.Generator): Draws the light; the layout never uses this generator.
    """

    def __init__(self, style: str, rng: np.random.Generator):
        self.style = style
        self.photo = style == 'photo'
        self.palette = PALETTES[style]
        self.rng = rng
        sunny = rng.random() < (0.55 if self.photo else 0.8)
        self.sun = rng.uniform(0.35, 0.62) if sunny else rng.uniform(0.05, 0.15)
        self.contrast = (0.32 if sunny else 0.14) if self.photo else 0.2
        self.haze = float(rng.choice([0.001, 0.003, 0.008])) if self.photo else 0.0015
        self.air = (206.0, 204.0, 200.0) if self.photo else (226.0, 206.0, 178.0)

    def color(self, kind: str, pick: float, jitter: float = 0.5, depth: float = 0.0, shade: float = 1.0) -> tuple:
        """Colour of a part.

        Args:
            kind (str): Key of the palette.
            pick (float): Chooses the entry, 0..1.
            jitter (float): Chooses the brightness, 0..1 for a factor of 0.85 to 1.15.
            depth (float): Distance, metres, for haze.
            shade (float): Factor on the brightness.

        Returns:
            tuple: BGR, 0..255 floats.
        """
        entries = self.palette[kind]
        red, green, blue = entries[int(pick * len(entries))]
        gain = shade * (0.85 + 0.3 * jitter)
        keep = math.exp(-self.haze * depth)
        air = self.air
        return (
            min(255.0, blue * gain * keep + air[0] * (1 - keep)),
            min(255.0, green * gain * keep + air[1] * (1 - keep)),
            min(255.0, red * gain * keep + air[2] * (1 - keep)),
        )

    def facing(self, sunward: float) -> float:
        """Shade of an upright face; ``sunward`` is 1 when it looks at the sun and -1 when it looks away."""
        return 1.0 + self.contrast * sunward

    def finish(self, image: np.ndarray, ids: np.ndarray, labels: list[int]) -> np.ndarray:
        """What the camera adds: nothing in `game`; texture, exposure, blur and noise in `photo`.

        Args:
            image (np.ndarray): (H, W, 3) uint8, BGR.
            ids (np.ndarray): (H, W) uint16, object numbers.
            labels (list[int]): Class of each object number.

        Returns:
            np.ndarray: (H, W, 3) uint8, BGR.
        """
        if not self.photo:
            return image
        rng, (height, width) = self.rng, ids.shape
        unit = 240 / height
        u = rng.random(20)

        # One texture a picture, coarse weathering under fine grain; its strength depends on the object seen there.
        coarse = noise_patch('cloud', ids.shape, 0.7 * unit, (u[1] * 256, u[2] * 256))
        fine = noise_patch('grain', ids.shape, 0.8 * unit, (u[3] * 256, u[4] * 256))
        share = 0.4 + 0.4 * u[19]
        field = cv2.addWeighted(coarse, (1 - share) / 51, fine, share / 51, -128 / 51, dtype=cv2.CV_32F)
        strengths = np.array([TEXTURE.get(label, TEXTURE_ELSEWHERE) for label in labels], np.float32)
        strengths *= 0.7 + 0.9 * u[0]
        field *= strengths[ids.astype(np.intp)]

        # Exposure falls towards the corners and to one side.
        x = np.linspace(-1, 1, width, dtype=np.float32)
        y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
        fall = np.float32(0.05 + 0.17 * u[5])
        field += 1 + np.float32(0.2 * (u[6] - 0.5)) * x - fall * x * x
        field -= fall * y * y
        gain = cv2.convertScaleAbs(field, alpha=128)
        picture = cv2.multiply(image, cv2.merge([gain, gain, gain]), scale=1 / 128)

        blur = (0.25 + 0.75 * u[7]) / unit
        picture = cv2.GaussianBlur(picture, (0, 0), blur)
        if u[8] < 0.25:
            length = max(2, round((2 + 3 * u[9]) / unit))
            picture = cv2.blur(picture, (length, 1))

        picture = cv2.LUT(picture, self._tone(u[10:16]))
        level = 1.5 + 6.5 * u[16] ** 2
        # The sensor's noise is a pixel wide at every size; it is cut from a table, and stronger in one colour.
        table = noise_patch('white', (height, width * 3), 1.0, (int(u[17] * 256), int(u[18] * 256)))
        noise = table.reshape(height, width, 3)
        return cv2.addWeighted(picture, 1.0, noise, level / 51, -128 * level / 51)

    def _tone(self, u: np.ndarray) -> np.ndarray:
        """Exposure, contrast, white balance and saturation of the highlights as a (1, 256, 3) table."""
        gain = math.exp(0.62 * (u[0] - 0.55))
        gamma = math.exp(0.5 * (u[1] - 0.45))
        warm = 0.16 * (u[2] - 0.5)
        green = 1 + 0.05 * (u[3] - 0.5)
        lift = 14 * u[4]
        ramp = np.linspace(0, 1, 256)
        channels = [1 - warm, green, 1 + warm]
        curve = [255 * np.clip(gain * scale * ramp, 0, None) ** gamma + lift for scale in channels]
        return np.clip(np.stack(curve, 1), 0, 255).astype(np.uint8)[None]
