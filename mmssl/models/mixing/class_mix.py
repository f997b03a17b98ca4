"""ClassMix: some of the classes of one image are pasted onto another (S2, section 3.1)."""

import torch
from torch import Generator, Tensor

from mmssl.registry import MODELS

ROUNDINGS = {'ceil': torch.ceil, 'floor': torch.floor}
# Labels are 8-bit values: a table with one entry for each of them needs no search for the classes of the data.
LEVELS = 256


def present_levels(labels: Tensor) -> Tensor:
    """Which label values occur in each image.

    Args:
        labels: (B, H, W), int64, in [0, 256).

    Returns:
        (B, 256), bool, on the device of the labels.
    """
    present = torch.zeros(len(labels), LEVELS, dtype=torch.bool, device=labels.device)
    # Image by image, since index_fill takes one list of indices; on a CPU it is twice as fast as one scatter of all.
    for table, values in zip(present, labels.flatten(1), strict=True):
        table.index_fill_(0, values, True)
    return present


def draw_levels(present: Tensor, generator: Generator | None, share: float = 0.5, rounding: str = 'ceil') -> Tensor:
    """Choose a share of the values that occur, in each row for itself, at random and without replacement.

    Args:
        present: (B, 256), bool: the values to choose from.
        generator: on the CPU; None is torch's global one.
        share: in [0, 1].
        rounding: of share times the number of values, ``'ceil'`` or ``'floor'``.

    Returns:
        (B, 256), bool: the chosen values.
    """
    # What 0.1 * 30 has too much of in floating point must not become a class more.
    slack = 1e-9 if rounding == 'floor' else -1e-9
    counts = ROUNDINGS[rounding](torch.arange(LEVELS + 1, dtype=torch.float64) * share + slack).long()
    keys = torch.rand(present.shape, generator=generator)
    # A blocking copy would wait for all that the device still has to do.
    counts, keys = (numbers.to(present.device, non_blocking=True) for numbers in (counts, keys))
    # The place of each value in a random order in which those that do not occur come last.
    places = keys.masked_fill(~present, 2.0).argsort(dim=1).argsort(dim=1)
    return places < counts[present.sum(dim=1)][:, None]


def class_mask(
    labels: Tensor,
    generator: Generator | None = None,
    share: float = 0.5,
    rounding: str = 'ceil',
    ignore_index: int = 255,
    ignore_as_class: bool = False,
) -> Tensor:
    """Mask of the pixels whose class was drawn; classes are drawn for each image (S2, algorithm 1).

    Nothing is read back from the device: the drawn classes are a table, looked up by the label of each pixel. The same
    generator state gives the same mask on every device.

    Args:
        labels: (B, H, W), int64 or uint8, in [0, 256).
        generator: on the CPU; None is torch's global one.
        share: of the classes of an image that are drawn, in [0, 1].
        rounding: ``'ceil'`` as in algorithm 1, ``'floor'`` as in the released code of ClassMix.
        ignore_index: label of pixels without a class.
        ignore_as_class: draw among the classes ``ignore_index`` too, as the released code of DACS does.

    Returns:
        (B, H, W), bool, True on the pixels of the drawn classes.

    Raises:
        ValueError: labels of another kind; labels outside [0, 256), where the CPU holds them.
    """
    if labels.dim() != 3 or labels.dtype not in (torch.int64, torch.uint8):
        raise ValueError(f'labels to mix are {labels.dtype} {tuple(labels.shape)}, expected int64 or uint8 (B, H, W)')
    labels = labels.long()
    try:
        present = present_levels(labels)
        if not ignore_as_class:
            present[:, ignore_index] = False
        return draw_levels(present, generator, share, rounding).gather(1, labels.flatten(1)).view(labels.shape)
    except (IndexError, RuntimeError):
        if labels.device.type == 'cpu' and (labels.min() < 0 or labels.max() >= LEVELS):
            found = f'{int(labels.min())} to {int(labels.max())}'
            raise ValueError(f'labels to mix are {found}, expected 0 to {LEVELS - 1}') from None
        raise


@MODELS.register_module()
class ClassMix:
    """Draws the masks of ClassMix: half of the classes of each image, pasted onto its partner.

    Source: S2, section 3.1, algorithm 1; for DACS section 3.2.

    Args:
        share: of the classes of an image that are pasted, in [0, 1].
        rounding: ``'ceil'`` (the thesis; released code of DACS) or ``'floor'`` (released code of ClassMix).
        ignore_as_class: whether ignored pixels form a class that can be drawn and pasted (released code of DACS);
            otherwise they are never pasted.
        ignore_index: label of pixels without a class, in [0, 256).

    Raises:
        ValueError: an option outside these values.
    """

    def __init__(
        self, *, share: float = 0.5, rounding: str = 'ceil', ignore_as_class: bool = False, ignore_index: int = 255
    ) -> None:
        if not 0 <= share <= 1:
            raise ValueError(f'ClassMix: share is {share}, expected 0 to 1')
        if rounding not in ROUNDINGS:
            raise ValueError(f'ClassMix: rounding is {rounding!r}, expected one of {sorted(ROUNDINGS)}')
        if not 0 <= ignore_index < LEVELS:
            raise ValueError(f'ClassMix: ignore_index is {ignore_index}, expected 0 to {LEVELS - 1}')
        self.share = share
        self.rounding = rounding
        self.ignore_as_class = ignore_as_class
        self.ignore_index = ignore_index

    def draw(self, labels: Tensor, generator: Generator | None = None) -> Tensor:
        """As :func:`class_mask`; labels (B, H, W), int64, are the pseudo-labels, or the labels of a source domain."""
        return class_mask(labels, generator, self.share, self.rounding, self.ignore_index, self.ignore_as_class)

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(share={self.share}, rounding={self.rounding!r}, '
            f'ignore_as_class={self.ignore_as_class}, ignore_index={self.ignore_index})'
        )
