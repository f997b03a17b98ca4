"""NT-Xent: closed form, a slow reference, and two processes against one."""

import math

import pytest
import torch
from forked_runs import run_ranks
from torch import distributed

from mmssl.models.heads.nt_xent_head import NTXentHead
from mmssl.models.losses.nt_xent import nt_xent


def slow_nt_xent(first, second, temperature):
    """Equation 3.5, term by term."""
    z = [*first, *second]
    count, total = len(first), 0.0
    for i in range(2 * count):
        j = (i + count) % (2 * count)
        similarity = [float(torch.dot(z[i], z[k]) / (z[i].norm() * z[k].norm())) / temperature for k in range(len(z))]
        total += -math.log(math.exp(similarity[j]) / sum(math.exp(s) for k, s in enumerate(similarity) if k != i))
    return total / (2 * count)


@pytest.mark.parametrize('count', [1, 2, 5, 128])
def test_equal_embeddings_give_the_closed_form(count):
    same = torch.ones(count, 7)
    loss, _ = nt_xent(same, same)
    assert loss.item() == pytest.approx(math.log(2 * count - 1), abs=1e-5)


@pytest.mark.parametrize('temperature', [0.1, 0.5, 2.0])
def test_equals_the_slow_reference(temperature):
    torch.manual_seed(0)
    first, second = torch.randn(6, 5), torch.randn(6, 5)
    loss, _ = nt_xent(first, second, temperature)
    assert loss.item() == pytest.approx(slow_nt_xent(first, second, temperature), rel=1e-5)


def test_orthogonal_pairs_by_hand():
    """Two images whose views agree and are orthogonal to the other's: -log(e^2 / (e^2 + 2 e^0)) at t = 0.5."""
    basis = torch.eye(2) * torch.tensor([[3.0], [0.5]])  # the length has no influence
    loss, agreement = nt_xent(basis, 2 * basis)
    assert loss.item() == pytest.approx(-math.log(math.e**2 / (math.e**2 + 2)), abs=1e-6)
    assert agreement.item() == 1.0


def test_agreement_counts_the_views_that_find_each_other():
    first = torch.eye(3)
    second = torch.tensor([[1.0, 0, 0], [0, 0, 1], [0, 1, 0]])  # the views of images 2 and 3 are exchanged
    assert nt_xent(first, second)[1].item() == pytest.approx(1 / 3)


def test_half_precision_is_computed_in_single():
    torch.manual_seed(0)
    first, second = torch.randn(8, 16), torch.randn(8, 16)
    exact, _ = nt_xent(first, second)
    half, _ = nt_xent(first.bfloat16(), second.bfloat16())
    assert half.dtype == torch.float32
    assert half.item() == pytest.approx(exact.item(), rel=1e-2)


@pytest.mark.parametrize('temperature', [0, -1])
def test_temperature_must_be_positive(temperature):
    with pytest.raises(ValueError, match=f'temperature is {temperature}, expected a positive number'):
        NTXentHead(temperature=temperature)


def views_and_weight() -> tuple[torch.Tensor, torch.Tensor]:
    """Two views of six images, and what is learned from them; the same in every process."""
    torch.manual_seed(0)
    return torch.randn(2, 6, 4), torch.randn(4, 3, requires_grad=True)


def rank_gradient(path: str) -> None:
    """Loss and gradient of this rank's share of the batch, averaged over ranks as DistributedDataParallel does."""
    distributed.init_process_group('gloo')
    rank, world = distributed.get_rank(), distributed.get_world_size()
    images, weight = views_and_weight()
    first, second = (view.chunk(world)[rank] @ weight for view in images)
    loss, agreement = nt_xent(first, second)
    loss.backward()
    values = torch.cat([weight.grad.flatten(), loss.detach()[None], agreement[None]])
    distributed.all_reduce(values)
    if rank == 0:
        torch.save(values / world, path)
    distributed.barrier()
    distributed.destroy_process_group()


def test_two_ranks_equal_one(tmp_path):
    images, weight = views_and_weight()
    loss, agreement = nt_xent(images[0] @ weight, images[1] @ weight)
    loss.backward()
    log = tmp_path / 'log'
    assert run_ranks(rank_gradient, str(tmp_path / 'values'), log=log) == [0, 0], (tmp_path / 'log.0').read_text()
    values = torch.load(tmp_path / 'values')
    torch.testing.assert_close(values[:-2].view_as(weight), weight.grad)
    assert values[-2].item() == pytest.approx(loss.item(), rel=1e-6)
    assert values[-1].item() == pytest.approx(agreement.item())
