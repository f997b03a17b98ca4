"""Errors by hand, over images of unlike sizes, in the square alone, and from two ranks."""

import math

import pytest
import torch
import torch.distributed as dist
from torch import multiprocessing

from mmssl.evaluation.reconstruction_error import ReconstructionError, psnr, squared_error


def sample(predicted: list, target: list, given: list, erased: list) -> tuple[torch.Tensor, dict]:
    """An input and a sample of one row of pixels; every channel has the same values."""
    row = {
        name: torch.tensor([[v]] * 3) for name, v in (('predicted', predicted), ('target', target), ('given', given))
    }
    return row['given'].to(torch.uint8), {
        'seg_logits': {'data': row['predicted'].float()},
        'gt_image': {'data': row['target'].to(torch.uint8)},
        'gt_erased': {'data': torch.tensor([[erased]])},
        'img_path': 'street.png',
    }


# Errors of the prediction 3 | 4, 12; of the input 0 | 8, 0. Erased: none of the first, the first of the second image.
ONE = sample([253.0], [250], [250], [False])
TWO = sample([96.0, 2.0], [100, 14], [108, 14], [True, False])
THREE = sample([7.5, 0.0, 0.0], [0, 0, 10], [0, 0, 0], [False, True, True])


def process(metric: ReconstructionError, *samples) -> ReconstructionError:
    inputs, outputs = zip(*samples, strict=True)
    metric.process({'inputs': list(inputs)}, outputs)
    return metric


def test_by_hand():
    """All pixels weigh the same: the mean over images would be another number."""
    values = process(ReconstructionError(), ONE, TWO).evaluate(2)
    assert values == pytest.approx(
        {
            'RMSE': math.sqrt(169 / 3),
            'PSNR': 10 * math.log10(255**2 / (169 / 3)),
            'PSNR_input': 10 * math.log10(255**2 / (64 / 3)),
        },
        abs=1e-4,
    )
    assert values['PSNR'] == pytest.approx(20 * math.log10(255 / values['RMSE']), abs=1e-3)


def test_the_square_alone():
    values = process(ReconstructionError(region='erased', prefix='hole'), ONE, TWO, THREE).evaluate(3)
    assert values == pytest.approx(
        {
            'hole/RMSE': math.sqrt((16 + 0 + 100) / 3),
            'hole/PSNR': 10 * math.log10(255**2 / (116 / 3)),
            'hole/PSNR_input': 10 * math.log10(255**2 / (164 / 3)),
        },
        abs=1e-4,
    )
    nothing = process(ReconstructionError(region='erased'), ONE).evaluate(1)
    assert all(math.isnan(value) for value in nothing.values())


def test_one_grey_level_and_none():
    """An error of 1 everywhere is 48.13 dB, as tables print it; no error is infinite; the worst is 0 dB."""
    assert psnr(1.0) == pytest.approx(48.1308, abs=1e-4)
    assert psnr(255.0**2) == 0
    assert psnr(0.0) == math.inf
    values = process(ReconstructionError(), sample([5.0], [5], [255], [False])).evaluate(1)
    assert (values['PSNR'], values['RMSE']) == (math.inf, 0)


def test_channels_that_differ_and_no_overflow():
    """uint8 differences do not wrap round."""
    picture = torch.tensor([0, 255, 10], dtype=torch.uint8).view(3, 1, 1)
    target = torch.tensor([255, 0, 13], dtype=torch.uint8).view(3, 1, 1)
    assert squared_error(picture, target) == 2 * 255**2 + 9
    assert squared_error(picture, target, torch.tensor([[[False]]])) == 0


def one_rank(rank: int, folder: str) -> None:
    dist.init_process_group('gloo', init_method=f'file://{folder}/store', rank=rank, world_size=2)
    metric = ReconstructionError(collect_dir=f'{folder}/parts')
    # The sampler repeats the first image so that both ranks have two; it must not count twice.
    process(metric, *[[ONE, THREE], [TWO, ONE]][rank])
    torch.save(metric.evaluate(3), f'{folder}/rank{rank}.pth')
    dist.destroy_process_group()


def test_two_ranks_give_the_numbers_of_one(tmp_path):
    context = multiprocessing.get_context('fork')
    ranks = [context.Process(target=one_rank, args=(rank, str(tmp_path))) for rank in range(2)]
    for rank in ranks:
        rank.start()
    for rank in ranks:
        rank.join(60)
        assert rank.exitcode == 0
    expected = process(ReconstructionError(), ONE, TWO, THREE).evaluate(3)
    for rank in range(2):
        assert torch.load(tmp_path / f'rank{rank}.pth', weights_only=True) == expected


@pytest.mark.parametrize('missing', ['seg_logits', 'gt_image', 'gt_erased'])
def test_samples_without(missing):
    given, found = TWO
    broken = {key: value for key, value in found.items() if key != missing}
    with pytest.raises(ValueError, match=rf'street\.png: ReconstructionError found no {missing}, expected predictions'):
        process(ReconstructionError(region='erased'), (given, broken))


def test_samples_that_do_not_fit():
    given, found = TWO
    for broken in (
        (given, {**found, 'seg_logits': {'data': torch.zeros(3, 1, 1)}}),
        (given[..., :1], found),
        (given[:2], {**found, **{key: {'data': torch.zeros(2, 1, 2)} for key in ('seg_logits', 'gt_image')}}),
    ):
        with pytest.raises(
            ValueError, match=r'street\.png: .* found a prediction of the shape .*, expected \(3, height'
        ):
            process(ReconstructionError(), broken)
    with pytest.raises(ValueError, match=r"region='hole', expected one of \['all', 'erased'\]"):
        ReconstructionError(region='hole')
