"""Errors by hand, over images of unlike sizes, and from two ranks."""

import math

import pytest
import torch
import torch.distributed as dist
from torch import multiprocessing

from mmssl.evaluation.colorization_error import ColorizationError


def sample(predicted, target) -> dict:
    return {
        'seg_logits': {'data': torch.tensor(predicted, dtype=torch.float32)},
        'gt_ab': {'data': torch.tensor(target, dtype=torch.int8)},
        'img_path': 'street.png',
    }


# Three pixels: errors of a 3, 0, 4 and of b 0, 0, 12; true a 3, 0, 0 and b 4, 0, 0.
ONE = sample([[[0.0]], [[4.0]]], [[[3]], [[4]]])
TWO = sample([[[0.0, 4.0]], [[0.0, -12.0]]], [[[0, 0]], [[0, 0]]])
EXPECTED = {
    'RMSE_a': math.sqrt(25 / 3),
    'RMSE_b': math.sqrt(144 / 3),
    'RMSE_ab': math.sqrt(169 / 6),
    'RMSE_ab_grey': math.sqrt(25 / 6),
    'vs_grey': 13 / 5,
}


def test_by_hand():
    """All pixels weigh the same: the mean over images would be another number."""
    metric = ColorizationError()
    metric.process({}, [ONE, TWO])
    assert metric.evaluate(2) == pytest.approx(EXPECTED, abs=1e-4)


def test_perfect_and_grey():
    metric = ColorizationError(prefix='colour')
    metric.process({}, [sample([[[-128.0]], [[127.0]]], [[[-128]], [[127]]])])
    values = metric.evaluate(1)
    assert values['colour/RMSE_ab'] == values['colour/vs_grey'] == 0
    assert values['colour/RMSE_ab_grey'] == pytest.approx(math.sqrt((128**2 + 127**2) / 2), abs=1e-4)
    metric.process({}, [sample([[[1.0]], [[1.0]]], [[[0]], [[0]]])])
    values = metric.evaluate(1)
    assert values['colour/RMSE_ab'] == 1
    assert math.isnan(values['colour/vs_grey'])


def one_rank(rank: int, folder: str) -> None:
    dist.init_process_group('gloo', init_method=f'file://{folder}/store', rank=rank, world_size=2)
    metric = ColorizationError(collect_dir=f'{folder}/parts')
    # The sampler repeats the first image so that both ranks have two; it must not count twice.
    metric.process({}, [[ONE, THREE], [TWO, ONE]][rank])
    torch.save(metric.evaluate(3), f'{folder}/rank{rank}.pth')
    dist.destroy_process_group()


THREE = sample([[[5.0]], [[0.0]]], [[[0]], [[-7]]])


def test_two_ranks_give_the_numbers_of_one(tmp_path):
    context = multiprocessing.get_context('fork')
    ranks = [context.Process(target=one_rank, args=(rank, str(tmp_path))) for rank in range(2)]
    for process in ranks:
        process.start()
    for process in ranks:
        process.join(60)
        assert process.exitcode == 0
    alone = ColorizationError()
    alone.process({}, [ONE, TWO, THREE])
    expected = alone.evaluate(3)
    for rank in range(2):
        assert torch.load(tmp_path / f'rank{rank}.pth', weights_only=True) == expected


@pytest.mark.parametrize(
    ('broken', 'message'),
    [
        ({'seg_logits': {'data': torch.zeros(2, 1, 1)}}, r'a sample: ColorizationError found no gt_ab'),
        ({**ONE, 'seg_logits': {'data': torch.zeros(4, 1, 1)}}, r'street\.png: .* shape \(4, 1, 1\) and a target'),
        ({**ONE, 'seg_logits': {'data': torch.zeros(2, 1, 2)}}, r'\(2, 1, 2\) and a target of \(2, 1, 1\), expected'),
    ],
)
def test_samples_that_do_not_fit(broken, message):
    with pytest.raises(ValueError, match=message):
        ColorizationError().process({}, [broken])
