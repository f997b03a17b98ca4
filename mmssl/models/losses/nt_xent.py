"""Normalised temperature-scaled cross entropy of SimCLR (S0, section 3.2.7.1), over all ranks."""

import torch
import torch.nn.functional as F
from mmengine.dist import get_rank, get_world_size
from torch import Tensor
from torch.distributed.nn.functional import all_gather


def gather_with_gradient(embeddings: Tensor) -> Tensor:
    """The embeddings of all ranks, in the order of the ranks; gradients flow back to the rank that made them.

    The gradient is the sum of the gradients of all ranks, of which DistributedDataParallel takes the mean: together
    that of the loss averaged over ranks. mmpretrain's gathering keeps the share of one rank only (1.2.0), which makes
    the gradient smaller by the number of ranks than that of one process with the whole batch.

    Args:
        embeddings: (n, D), the same n on every rank.

    Returns:
        (ranks * n, D); the input itself where there is one process.
    """
    return embeddings if get_world_size() == 1 else torch.cat(all_gather(embeddings))


def nt_xent(first: Tensor, second: Tensor, temperature: float = 0.5) -> tuple[Tensor, Tensor]:
    """Equation 3.5, averaged over the 2n embeddings of this rank; the negatives come from all ranks.

    loss(i, j) = -log(exp(sim(z_i, z_j) / t) / sum over k != i of exp(sim(z_i, z_k) / t)), with the cosine similarity.
    Equal embeddings everywhere give ln(2N - 1), N images on all ranks together.

    Args:
        first: (n, D), embeddings of the first view, not normalised, n at least 1.
        second: (n, D), those of the second view of the same images.
        temperature: t, positive.

    Returns:
        Loss, a scalar in float32; and the share, in [0, 1], of embeddings whose other view is nearer than all others.
    """
    count = len(first)
    # exp(1 / t) and small differences of similarities: not for half precision
    embeddings = F.normalize(torch.cat([first, second]).float(), dim=1)
    candidates = gather_with_gradient(embeddings)
    rows = torch.arange(2 * count, device=embeddings.device)
    offset = 2 * count * get_rank()
    own = torch.zeros(2 * count, len(candidates), dtype=torch.bool, device=embeddings.device)
    own[rows, offset + rows] = True
    logits = (embeddings @ candidates.T / temperature).masked_fill(own, float('-inf'))
    positives = offset + (rows + count) % (2 * count)
    agreement = (logits.detach().argmax(dim=1) == positives).float().mean()
    return F.cross_entropy(logits, positives), agreement
