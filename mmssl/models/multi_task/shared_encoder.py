"""One encoder for the models of several tasks (S4, section 2.2.4, figure 6)."""

from collections.abc import Callable, Iterator, Sequence
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


def share_encoder(task: str, model: nn.Module, encoder: nn.Module) -> None:
    """Give the model of a task the encoder of all tasks.

    Args:
        task: its name, for the message.
        model: with a :class:`SharedEncoder` as its ``backbone``.
        encoder: of all tasks.

    Raises:
        ValueError: the model has made a copy of its encoder, as the target network of BYOL, MoCo or PixPro is one.
    """
    own = getattr(model, 'backbone', None)
    if any(isinstance(each, SharedEncoder) and each is not own for each in model.modules()):
        raise ValueError(
            f'task {task!r}: {type(model).__name__} has a target network, a second encoder that follows the first, '
            'expected a model with the shared encoder alone: nothing would move the second'
        )
    own.share(encoder)


@contextmanager
def maps_made_ahead(
    encoder: nn.Module,
    made: Sequence[tuple[Tensor, Sequence[Tensor]]],
    encode: Callable[[Callable, Tensor], Sequence[Tensor]],
) -> Iterator[None]:
    """Let an encoder answer with maps that were made in one pass for several tasks.

    Args:
        encoder: of all tasks.
        made: images and their maps; they answer for the very tensor that is named.
        encode: makes the maps of any other one, by the encoder's own ``forward`` and the images.
    """
    forward = encoder.forward

    def look_up(images: Tensor) -> Sequence[Tensor]:
        return next((maps for known, maps in made if known is images), None) or encode(forward, images)

    encoder.forward = look_up
    try:
        yield
    finally:
        del encoder.forward  # the class's own is back
