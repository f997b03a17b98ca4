"""One encoder for the models of several tasks (S4, section 2.2.4, figure 6)."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from torch import Tensor, nn

from mmssl.registry import MODELS


@MODELS.register_module()
class SharedEncoder(nn.Module):
    """Stand where a task's model has its backbone, and pass images on to the shared one.

    Any model of mmseg or mmpretrain that calls ``self.backbone(images)`` becomes a task of
    :class:`~mmssl.models.segmentors.multi_task.MultiTaskSegmentor` by it. It has no weights: those of the encoder are
    named, saved and trained once.
    """

    def __init__(self) -> None:
        super().__init__()
        self._encoder: tuple[nn.Module, ...] = ()  # a tuple, which torch does not look into

    def share(self, encoder: nn.Module) -> None:
        """Take the encoder that images are passed to."""
        self._encoder = (encoder,)

    def forward(self, images: Tensor) -> Sequence[Tensor]:
        """(B, 3, H, W) float -> the encoder's maps.

        Raises:
            ValueError: there is no encoder.
        """
        if not self._encoder:
            raise ValueError('SharedEncoder: no encoder to share, expected to be a task of MultiTaskSegmentor')
        return self._encoder[0](images)


@contextmanager
def maps_made_ahead(encoder: nn.Module, made: Sequence[tuple[Tensor, Sequence[Tensor]]]) -> Iterator[None]:
    """Let an encoder answer with maps that were made in one pass for several tasks.

    Args:
        encoder: of all tasks.
        made: images and their maps; they answer for the very tensor that is named, any other one is encoded.
    """
    forward = encoder.forward

    def look_up(images: Tensor) -> Sequence[Tensor]:
        return next((maps for known, maps in made if known is images), None) or forward(images)

    encoder.forward = look_up
    try:
        yield
    finally:
        del encoder.forward  # the class's own is back
