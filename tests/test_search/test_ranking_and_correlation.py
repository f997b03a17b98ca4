"""Tables, pictures and fine-tunings of candidates made up for them."""

import cv2
import pytest
from search_cases import FakeTrainer, candidate, write_validation

from mmssl.errors import DataError
from mmssl.search.correlation_report import correlate, correlation_picture, correlation_table, pair_up
from mmssl.search.finetuning import Finetuning, read_finetunings, run_finetunings
from mmssl.search.progress import time_left
from mmssl.search.ranking import rank_candidates, ranking_picture, ranking_table, spread_over_ranking

# Scores in the order of the numbers; candidate 2 failed.
SCORES = [14.0, 16.0, None, 15.0, 16.0]


@pytest.fixture
def candidates():
    return [candidate(number, score, over_budget=number) for number, score in enumerate(SCORES)]


def test_ranking(candidates):
    assert [one.number for one in rank_candidates(candidates)] == [1, 4, 3, 0]
    lines = ranking_table(candidates, 'PSNR').splitlines()
    assert lines[2] == '| 1 | 1 | 1 | 8-16-32 | 1 | BN | 2,000 | 2.000 | 16 | 1.0 |'
    assert [line.split(' | ')[1] for line in lines[2:6]] == ['1', '4', '3', '0']
    assert lines[7] == '5 candidates, 1 failed; 10 more draws were beyond the budget.'
    assert lines[8] == ('- candidate 2 failed: depth 2, widths 8-16-32, dilations 1, BN: status 1: error: no memory')
    falling = [candidate(number, -value, score=value) for number, value in enumerate([3.0, 1.0, 2.0])]
    assert [one.number for one in rank_candidates(falling)] == [1, 2, 0]


def test_a_spread_has_both_ends():
    ranked = [candidate(number) for number in range(11)]
    assert [one.number for one in spread_over_ranking(ranked, 3)] == [0, 5, 10]
    assert [one.number for one in spread_over_ranking(ranked, 6)] == [0, 2, 4, 6, 8, 10]
    assert spread_over_ranking(ranked, 20) == ranked
    with pytest.raises(ValueError, match='--candidates: 1 found, at least 2 expected'):
        spread_over_ranking(ranked, 1)


def test_pictures(candidates, tmp_path):
    ranking_picture(candidates, 'PSNR', tmp_path / 'ranking.png')
    rows = [Finetuning(number, 'finished', value, None, 30.0) for number, value in ((0, 30.0), (1, 40.0), (3, 35.0))]
    ranked, finetuned = pair_up(candidates, rows)
    found = correlate(ranked, finetuned, 'PSNR', True)
    correlation_picture(ranked, finetuned, found['proxy: PSNR'], 'PSNR', 'mIoU', tmp_path / 'correlation.png')
    for name in ('ranking', 'correlation'):
        picture = cv2.imread(str(tmp_path / f'{name}.png'))
        assert picture.shape == (600, 840, 3) and picture.std() > 10


def test_correlations_of_the_proxy_and_of_size(candidates):
    """By the proxy 1, 4, 3, 0; mIoU 40, 42, 35, 30; candidate 2 never had a score, its fine-tuning does not count."""
    values = {4: 42.0, 0: 30.0, 3: 35.0, 1: 40.0}
    rows = [Finetuning(number, 'finished', value, None, 30.0) for number, value in values.items()]
    ranked, finetuned = pair_up(candidates, [*rows, Finetuning(2, 'failed', None, 'status 1', 1.0)])
    assert [one.number for one in ranked] == [1, 4, 3, 0]
    assert [row.value for row in finetuned] == [40.0, 42.0, 35.0, 30.0]
    found = correlate(ranked, finetuned, 'PSNR', True)
    assert list(found) == ['proxy: PSNR', 'parameters', 'FLOPs']
    # Scores 16, 16, 15, 14: ranks 3.5, 3.5, 2, 1 against 3, 4, 2, 1; five pairs agree, one is tied.
    assert found['proxy: PSNR'].spearman == pytest.approx(4.5 / (4.5 * 5) ** 0.5)
    assert found['proxy: PSNR'].kendall == pytest.approx(5 / 30**0.5)
    # Parameters rank 0, 1, 3, 4: 30, 40, 35, 42 have one pair in the other order.
    assert found['parameters'].kendall == found['FLOPs'].kendall == pytest.approx(4 / 6)
    lower = correlate(ranked, finetuned, 'PSNR', False)
    assert lower['proxy: PSNR'].kendall == -found['proxy: PSNR'].kendall
    table = correlation_table(ranked, finetuned, found, 'PSNR', 'mIoU').splitlines()
    assert table[2] == '| 1 | depth 1, widths 8-16-32, dilations 1, BN | 2,000 | 16 | 40 | 1.5 |'
    assert table[-3].startswith('| proxy: PSNR | 4 | +0.95 | ')
    assert table[-2].startswith('| parameters | 4 | +0.80 | ')
    same = [candidate(one.number, one.fitness, flops=5) for one in ranked]
    assert list(correlate(same, finetuned, 'PSNR', True)) == ['proxy: PSNR', 'parameters']


class Segmentations(FakeTrainer):
    """Candidate n has 30 + n mIoU."""

    def __call__(self, config, work_dir):
        number = len(self.configs)
        if number == self.stop_at:
            raise KeyboardInterrupt
        self.configs.append(config)
        if number in self.fail:
            from mmssl.search.candidate_training import TrainingFailedError

            raise TrainingFailedError('status 1: error: no memory')
        write_validation(work_dir, {'mIoU': 30.0 + int(work_dir.parent.name)})


def test_fine_tunings_go_on_and_keep_what_failed(candidates, tmp_path):
    ranked, trainer, lines = rank_candidates(candidates), Segmentations(fail=(1,), stop_at=2), []
    with pytest.raises(KeyboardInterrupt):
        run_finetunings(tmp_path, ranked, 'mIoU', trainer, lines.append)
    assert trainer.configs[0] == tmp_path / 'candidates/001/segmentation_001.py'
    rows = read_finetunings(tmp_path / 'finetuned.jsonl')
    assert [(row.number, row.value, row.reason) for row in rows] == [
        (1, 31.0, None),
        (4, None, 'status 1: error: no memory'),
    ]
    second = Segmentations()
    rows = run_finetunings(tmp_path, ranked, 'mIoU', second, lines.append)
    # The one that failed is tried again.
    assert [(row.number, row.value) for row in rows] == [(1, 31.0), (4, 34.0), (3, 33.0), (0, 30.0)]
    assert len(second.configs) == 3 and '1 candidates fine-tuned before, 1 failed' in lines
    assert run_finetunings(tmp_path, ranked[:2], 'mIoU', second, lines.append) == rows
    assert len(second.configs) == 3
    path = tmp_path / 'finetuned.jsonl'
    path.write_text(path.read_text() + path.read_text())
    with pytest.raises(DataError, match='finetuned.jsonl: candidates .* found, each once'):
        read_finetunings(path)


def test_time_left():
    assert time_left([60.0, 120.0], 12) == '2 of 12 done, about 15 min left'
    assert time_left([60.0] * 3, 3) == '3 of 3 done'
