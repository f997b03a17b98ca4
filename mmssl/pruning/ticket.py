"""A lottery ticket: which weights survive, and the values that they go back to."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor, nn

from mmssl.errors import DataError
from mmssl.tensor_file import read_tensor_file, write_tensor_file

from .criteria import score_weights
from .masks import prune_masks
from .packed_mask import pack_mask, unpack_mask

FORMAT = 'mmssl lottery ticket 1'


def find_masks(
    final: Mapping[str, Tensor],
    sparsity: float,
    *,
    criterion: str = 'large_final',
    scope: str = 'layer',
    initial: Mapping[str, Tensor] | None = None,
    previous: Mapping[str, Tensor] | None = None,
) -> dict[str, Tensor]:
    """Prune trained weights: :func:`score_weights`, then :func:`prune_masks`, whose arguments and errors these are."""
    scores = score_weights(final, criterion, initial=initial, scope=scope, previous=previous)
    return prune_masks(scores, sparsity, scope, previous)


@dataclass(frozen=True)
class RewindPoint:
    """The weights of a model at an iteration.

    Attributes:
        iteration: optimisation iterations before it; 0 is the start of training.
        state_dict: parameters and buffers on the CPU, copied.
    """

    iteration: int
    state_dict: dict[str, Tensor]

    @classmethod
    def of(cls, model: nn.Module, iteration: int) -> 'RewindPoint':
        """Copy the weights of a model (without a wrapper for several processes)."""
        return cls(iteration, {name: tensor.detach().cpu().clone() for name, tensor in model.state_dict().items()})

    def check(self, model: nn.Module, where: str) -> None:
        """Raise DataError unless the point has the names and shapes of a model, all of them and no others."""
        wanted = model.state_dict()
        missing = [name for name in wanted if name not in self.state_dict]
        alien = [name for name in self.state_dict if name not in wanted]
        if missing or alien:
            name, fault = (missing[0], 'missing') if missing else (alien[0], f'not in {type(model).__name__}')
            count = len(missing) + len(alien)
            raise DataError(f'{where}: rewind weights do not fit, {count} names differ; first: {name} is {fault}')
        for name, tensor in wanted.items():
            if self.state_dict[name].shape != tensor.shape:
                shapes = f'{tuple(self.state_dict[name].shape)} found, {tuple(tensor.shape)} expected'
                raise DataError(f'{where}: rewind weight {name} has another shape, {shapes}')


@dataclass(frozen=True)
class Ticket:
    """Masks, rewind weights and how they were made.

    Attributes:
        masks: weight name to bool mask on the CPU, True where the weight is kept; empty for dense training.
        rewind: values that survivors go back to, or None.
        settings: plain values, for instance ``sparsity``, ``scope`` and ``criterion``.
    """

    masks: dict[str, Tensor]
    rewind: RewindPoint | None = None
    settings: dict = field(default_factory=dict)

    def to_plain(self) -> dict:
        """Tensors and plain values, masks packed to bits, as :meth:`from_plain` reads them."""
        rewind = self.rewind and {'iteration': self.rewind.iteration, 'state_dict': self.rewind.state_dict}
        return {
            'format': FORMAT,
            'settings': self.settings,
            'masks': {name: pack_mask(mask) for name, mask in self.masks.items()},
            'rewind': rewind,
        }

    @classmethod
    def from_plain(cls, content: dict, where: str) -> 'Ticket':
        """Read what :meth:`to_plain` made.

        Args:
            content: the dict.
            where: file, for messages.

        Raises:
            DataError: not a ticket, or parts that do not fit together.
        """
        found = content.get('format') if isinstance(content, dict) else None
        if found != FORMAT:
            raise DataError(f'{where}: format {found!r} found, {FORMAT!r} expected')
        try:
            masks = {name: unpack_mask(packed, f'{where}: {name}') for name, packed in content['masks'].items()}
            rewind = content['rewind'] and RewindPoint(
                int(content['rewind']['iteration']),
                {name: tensor.cpu() for name, tensor in content['rewind']['state_dict'].items()},
            )
            return cls(masks, rewind, dict(content['settings']))
        except (KeyError, TypeError, AttributeError) as error:
            raise DataError(f'{where}: a part of the ticket is missing or another: {error}') from None

    def save(self, path: str | Path) -> None:
        """Write the ticket, whole or not at all."""
        write_tensor_file(self.to_plain(), path)

    @classmethod
    def load(cls, path: str | Path) -> 'Ticket':
        """Read a ticket; raises DataNotFoundError or DataError."""
        return cls.from_plain(read_tensor_file(path, 'ticket'), f'ticket {path}')
