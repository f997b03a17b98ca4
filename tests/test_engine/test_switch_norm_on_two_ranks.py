"""Switchable normalisation on two gloo processes with different batches against one process with the joint batch."""

import pytest
import torch
from torch import Tensor

from mmssl.models.layers.switch_norm import SwitchNorm2d

# Images on rank 0, on rank 1, and their side, in three steps; in the last rank 0 has a single value a channel.
SPLITS = [(3, 5, 4), (2, 2, 3), (1, 4, 1)]
# What an image has for itself, and what a rank's images share out of the joint gradient.
OF_IMAGES = ('out', 'x', 'eval')
OF_PARAMETERS = ('weight', 'bias', 'mean_weight', 'var_weight')

RANKS = """
import os, sys, torch
root, tests, rank = sys.argv[1], sys.argv[2], int(os.environ['RANK'])
sys.path.insert(0, tests)
from test_switch_norm_on_two_ranks import SPLITS, steps
torch.distributed.init_process_group('gloo', init_method=f'file://{root}/store', rank=rank, world_size=2)
torch.save(dict(
    joint=steps(SPLITS, rank, sync=True),
    cumulative=steps(SPLITS, rank, sync=True, momentum=None),
    single=steps(SPLITS, rank, dtype=torch.float32, sync=True),
    alone=steps(SPLITS[:2], rank),
), f'{root}/rank{rank}.pt')
"""


def joint_batch(number: int, images: int, side: int) -> Tensor:
    """Images with means of their own, so that ranks differ; the first channel has a mean above its deviation."""
    generator = torch.Generator().manual_seed(number)
    pixels = torch.randn(images, 3, side, side, generator=generator, dtype=torch.float64)
    offsets = torch.randn(images, 1, 1, 1, generator=generator, dtype=torch.float64)
    return pixels + 3 * offsets + torch.tensor([10.0, 0, -5]).view(3, 1, 1)


def steps(splits: list, rank: int | None, dtype: torch.dtype = torch.float64, **options) -> list[dict]:
    """Train on the rank's images of each joint batch, or on all of them; then evaluate."""
    layer = SwitchNorm2d(3, **options).to(dtype)
    start = {'weight': [0.5, -1, 2], 'bias': [1, 2, 3], 'mean_weight': [0.5, 0, 1], 'var_weight': [0, 0.5, 1.5]}
    with torch.no_grad():
        for name, values in start.items():
            getattr(layer, name).copy_(torch.tensor(values))
    results = []
    for number, (first, second, side) in enumerate(splits):
        part = {None: slice(None), 0: slice(first), 1: slice(first, None)}[rank]
        x, direction = (joint_batch(n, first + second, side)[part].to(dtype) for n in (number, 100 + number))
        x.requires_grad_()
        layer.zero_grad()
        out = layer(x)
        (out * direction.sin()).sum().backward()
        found = {'out': out, 'x': x.grad, **dict(layer.named_buffers())}
        found |= {name: getattr(layer, name).grad for name in OF_PARAMETERS}
        results.append({name: value.detach().clone() for name, value in found.items()})
    with torch.no_grad():
        results[-1] |= {'eval': layer.eval()(x)}
    return results


@pytest.fixture(scope='module')
def ranks(tmp_path_factory, run_on_two_ranks):
    """What each rank has computed."""
    root = tmp_path_factory.mktemp('ranks')
    run_on_two_ranks(RANKS, root)
    return [torch.load(root / f'rank{rank}.pt', weights_only=True) for rank in range(2)]


@pytest.mark.parametrize(
    ('case', 'options', 'tolerance'),
    [
        ('joint', {}, 1e-12),
        ('cumulative', {'momentum': None}, 1e-12),
        ('single', {'dtype': torch.float32}, 2e-5),
    ],
)
def test_two_ranks_are_one_rank_with_the_joint_batch(ranks, case, options, tolerance):
    """Outputs and gradients of the images, the sum of the ranks' gradients of the parameters, and the statistics."""
    expected = steps(SPLITS, None, **options)
    for number, (first, second, one) in enumerate(zip(*(rank[case] for rank in ranks), expected, strict=True), start=1):
        assert first.keys() == second.keys() == one.keys()
        assert first['num_batches_tracked'] == number
        for name in one:
            if name in OF_IMAGES:
                found = torch.cat([first[name], second[name]])
            elif name in OF_PARAMETERS:
                found = first[name] + second[name]
            else:
                assert torch.equal(first[name], second[name]), name
                found = first[name]
            allowed = tolerance * max(float(one[name].abs().max()), 1)
            assert (found - one[name]).abs().max() <= allowed, (name, found, one[name])


def test_ranks_are_alone_by_default(ranks):
    for rank in range(2):
        for found, expected in zip(ranks[rank]['alone'], steps(SPLITS[:2], rank), strict=True):
            assert all(torch.equal(found[name], expected[name]) for name in expected)
    first, second, joint = (results[0] for results in (ranks[0]['alone'], ranks[1]['alone'], ranks[0]['joint']))
    assert not torch.allclose(first['running_mean'], second['running_mean'], atol=0.05)
    assert not torch.allclose(first['out'], joint['out'], atol=0.1)


def test_a_single_process_needs_no_group():
    x = joint_batch(0, 2, 4).float()
    assert torch.equal(SwitchNorm2d(3, sync=True)(x), SwitchNorm2d(3)(x))
