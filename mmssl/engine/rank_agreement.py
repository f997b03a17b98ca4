"""What one rank of a training has noticed, told to all of them."""

import torch
from mmengine.dist import get_comm_device, get_world_size, is_distributed
from torch import distributed


class RankAgreement:
    """The largest of the numbers that the ranks give, without waiting for it.

    The collective goes on while the next iteration is computed, so that it costs a call and no time of waiting. Every
    rank has to call in the same order as the others, as with any collective.
    """

    def __init__(self) -> None:
        self._number: torch.Tensor | None = None
        self._work = None

    def ask(self, number: int) -> None:
        """Give the number of this rank.

        Args:
            number: 0 or more, where 0 stands for nothing.
        """
        self._number = torch.tensor(number, dtype=torch.int64, device=_device())
        if is_distributed() and get_world_size() > 1:
            self._work = distributed.all_reduce(self._number, distributed.ReduceOp.MAX, async_op=True)

    def answer(self) -> int | None:
        """The largest number of the last :meth:`ask`, on every rank; None where nothing was asked since."""
        if self._number is None:
            return None
        if self._work is not None:
            self._work.wait()
        number, self._number, self._work = int(self._number), None, None
        return number


def largest_of_ranks(number: int) -> int:
    """The largest of the numbers that the ranks give, at once."""
    agreement = RankAgreement()
    agreement.ask(number)
    return agreement.answer()


def _device() -> torch.device | str:
    # A single process needs no tensor of an accelerator, whatever it trains on.
    return get_comm_device() if is_distributed() and get_world_size() > 1 else 'cpu'
