"""Erasing of parts of the views that the online encoder sees (S1, section 3.1.3)."""

from collections.abc import Sequence

import torch
from torch import Generator, Tensor, nn

from mmssl.registry import MODELS

from .erasing_boxes import boxes_mask, draw_patches, draw_rectangles

FILLS = ('black', 'gaussian')


def normalised_black(data_preprocessor: nn.Module) -> Tensor | float:
    """What a black pixel becomes in a data preprocessor of the hosts, ``(0 - mean) / std``.

    Args:
        data_preprocessor: one with mmengine's ``ImgDataPreprocessor`` as base, such as ``SelfSupDataPreprocessor``.

    Returns:
        (3, 1, 1), float32, on its device; 0.0 where it does not normalise.
    """
    mean, std = getattr(data_preprocessor, 'mean', None), getattr(data_preprocessor, 'std', None)
    return 0.0 if mean is None else (0 - mean) / std


class BatchErasing(nn.Module):
    """What the two ways of erasing share: who is erased, and what with.

    They act on the batch, on its device, and not in the workers: the target encoder sees the same views whole, so the
    loader would have to send each view twice. Boxes and the seed of the noise are drawn on the CPU, so that nothing is
    read back; noise is drawn on the device, and two kinds of device have different noise.

    Args:
        fill: ``'black'`` or ``'gaussian'``: noise of mean 0 and standard deviation 1, in units of the normalised image,
            of its own in each channel.
        prob: probability that an image is erased, in [0, 1].

    Raises:
        ValueError: an option outside these values.
    """

    def __init__(self, *, fill: str = 'black', prob: float = 1.0) -> None:
        super().__init__()
        if fill not in FILLS:
            raise ValueError(f'{type(self).__name__}: fill is {fill!r}, expected one of {FILLS}')
        if not 0 <= prob <= 1:
            raise ValueError(f'{type(self).__name__}: prob is {prob}, expected 0 to 1')
        self.fill = fill
        self.prob = prob

    def boxes(self, count: int, size: tuple[int, int], generator: Generator | None) -> Tensor:
        """Boxes (count, N, 4), int64, on the CPU: top, left, height and width in pixels."""
        raise NotImplementedError

    def draw(self, count: int, size: tuple[int, int], generator: Generator | None = None) -> Tensor:
        """Boxes to erase: (count, N, 4), int64, on the CPU; of height and width 0 in images that stay."""
        erased = torch.rand(count, generator=generator, dtype=torch.float64) < self.prob
        return self.boxes(count, size, generator) * erased[:, None, None]

    def forward(self, images: Tensor, black: Tensor | float, generator: Generator | None = None) -> Tensor:
        """Erase parts of images; those given stay as they are.

        Args:
            images: (B, 3, H, W), float, normalised.
            black: what black is in them, a number or (3, 1, 1) on their device; see :func:`normalised_black`.
            generator: on the CPU; None is torch's global one.

        Returns:
            (B, 3, H, W), a copy; type and memory format of the images.
        """
        size = images.shape[-2:]
        mask = boxes_mask(self.draw(len(images), size, generator).to(images.device, non_blocking=True), size)
        if self.fill == 'gaussian':
            seed = int(torch.randint(2**63 - 1, (), generator=generator))
            on_device = Generator(images.device).manual_seed(seed)
            filling = torch.randn(images.shape, generator=on_device, dtype=images.dtype, device=images.device)
        else:
            filling = torch.as_tensor(black, dtype=images.dtype, device=images.device)
        # Without `out` the result of channels-last images would not be.
        return torch.where(mask[:, None], filling, images, out=torch.empty_like(images))

    def extra_repr(self) -> str:
        """The options, for ``print(model)``."""
        return f'fill={self.fill!r}, prob={self.prob}'


@MODELS.register_module()
class BatchRandomErasing(BatchErasing):
    """Erase a rectangle of each image: Random Erasing.

    Source: S1, section 3.1.3 and 4.3.1; defaults are those of the final method. mmpretrain's transform
    ``RandomErasing`` draws the aspect ratio log-uniformly and places every rectangle so that it fits; here all is drawn
    again until it does.

    Args:
        area: interval of the erased share of the image, in (0, 1).
        aspect: interval of height / width.
        fill: ``'black'`` or ``'gaussian'``, as :class:`BatchErasing`.
        prob: probability that an image is erased, in [0, 1].

    Raises:
        ValueError: an option outside these values; in ``forward``, rectangles that do not fit the images.
    """

    def __init__(
        self,
        *,
        area: Sequence[float] = (0.02, 0.4),
        aspect: Sequence[float] = (0.3, 1 / 0.3),
        fill: str = 'black',
        prob: float = 1.0,
    ) -> None:
        super().__init__(fill=fill, prob=prob)
        if len(area) != 2 or not 0 < area[0] <= area[1] < 1:
            raise ValueError(f'BatchRandomErasing: area is {area}, expected two rising numbers between 0 and 1')
        if len(aspect) != 2 or not 0 < aspect[0] <= aspect[1] < float('inf'):
            raise ValueError(f'BatchRandomErasing: aspect is {aspect}, expected two rising numbers above 0')
        self.area = tuple(area)
        self.aspect = tuple(aspect)

    def boxes(self, count: int, size: tuple[int, int], generator: Generator | None) -> Tensor:
        """One rectangle for each image, (count, 1, 4); see :func:`draw_rectangles`."""
        return draw_rectangles(count, size, generator, self.area, self.aspect)

    def extra_repr(self) -> str:
        """The options, for ``print(model)``."""
        return f'area={self.area}, aspect={self.aspect}, {super().extra_repr()}'


@MODELS.register_module()
class BatchRandomPatchedErasing(BatchErasing):
    """Erase many small squares of each image: Random Patched Erasing.

    Source: S1, section 3.1.3 and 4.3.1.

    *Deviation*: the mask of the thesis is ``P - s`` to ``P + s``, squares of twice the side; its figure 3.4 has 50 of
    10x10 at s = 10, "about 10%" of 224x224. Squares of side s are taken, and all of them inside the image.

    Args:
        patches: number of squares, from 1 up.
        side: of a square, in pixels, from 1 up.
        fill: ``'black'`` or ``'gaussian'``, as :class:`BatchErasing`.
        prob: probability that an image is erased, in [0, 1].

    Raises:
        ValueError: an option outside these values; in ``forward``, images smaller than a square.
    """

    def __init__(self, *, patches: int = 50, side: int = 10, fill: str = 'black', prob: float = 1.0) -> None:
        super().__init__(fill=fill, prob=prob)
        for name, value in {'patches': patches, 'side': side}.items():
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ValueError(f'BatchRandomPatchedErasing: {name} is {value}, expected a whole number from 1 up')
        self.patches = patches
        self.side = side

    def boxes(self, count: int, size: tuple[int, int], generator: Generator | None) -> Tensor:
        """The squares of each image, (count, patches, 4); see :func:`draw_patches`."""
        return draw_patches(count, size, generator, self.patches, self.side)

    def extra_repr(self) -> str:
        """The options, for ``print(model)``."""
        return f'patches={self.patches}, side={self.side}, {super().extra_repr()}'
