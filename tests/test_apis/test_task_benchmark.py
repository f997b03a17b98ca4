"""What benchmark.py --tasks measures: models with some of the tasks, batches for them, ratios to their parts."""

import pytest
import torch

from mmssl.apis import task_benchmark
from mmssl.apis.segmentor_workload import Workload, WorkloadSpec, build_workload
from mmssl.apis.task_benchmark import report_tasks, run_tasks, task_specs

RECIPE = 'configs/multi_task/joint-all_erfnet_1xb4-1000i_camvid-1of8-96x128.py'
PLAIN = 'configs/classmix/supervised_erfnet_1xb4-1000i_camvid-1of8-96x128.py'


@pytest.fixture
def spec(repository):
    return WorkloadSpec(str(repository / RECIPE), 'train', (32, 48), 2)


def test_batches_have_the_shape_asked_for_and_patches_their_own(spec):
    workload = build_workload(spec)
    model, shapes = workload.model, []
    model.encoder.layers['1'].register_forward_pre_hook(lambda _, inputs: shapes.append(tuple(inputs[0].shape)))
    losses = workload.step()
    # Segmentation and the three tasks of pixels pass together; nine patches of 32x32 of two images follow.
    assert shapes == [(8, 3, 32, 48), (18, 3, 32, 32)]
    assert torch.isfinite(losses['loss'])
    assert sum(f'{name}.weighted' in losses for name in ('segmentation', *model.tasks)) == 5


def test_each_measurement_has_its_tasks_and_mode(spec):
    specs = task_specs(spec)
    assert list(specs) == [
        ('segmentation', 0),
        *(('single', name) for name in ('inpainting', 'denoising', 'colorization', 'jigsaw')),
        *((mode, count) for mode in ('joint', 'sequential') for count in (1, 2, 3, 4)),
    ]
    pair = build_workload(specs['sequential', 2]).model
    assert list(pair.tasks) == ['inpainting', 'denoising'] and pair.mode == 'sequential'
    assert type(build_workload(specs['segmentation', 0]).model).__name__ == 'EncoderDecoder'


def test_ratios_by_hand(spec, monkeypatch):
    """A clock that every step moves on by a known time: a task takes 2 beside the segmentation's 3."""
    now = [0.0]

    def fake(each):
        count = len(each.tasks)
        cost = 3 + 2 * count + (0.5 if each.task_mode == 'sequential' else 0)

        def step():
            now[0] += cost

        return Workload(step, None, 0, 0)

    monkeypatch.setattr(task_benchmark, 'build_workload', fake)
    monkeypatch.setattr(task_benchmark, 'measure_in_fresh_process', lambda each: 100 + 10 * len(each.tasks))
    monkeypatch.setattr(task_benchmark, 'time_in_turns', with_clock(task_benchmark.time_in_turns, now))
    result = run_tasks(spec, repeats=2, warmup=1)
    rows = {(row['mode'], len(row['tasks'])): row for row in result['rows'] if row['mode'] != 'single'}
    # 5 + 5 + 5 less twice 3 is 9, and a joint step with three tasks takes 3 + 6.
    assert rows['joint', 3]['to_parts']['paired_ratios']['median'] == pytest.approx(1.0)
    assert rows['sequential', 3]['to_parts']['paired_ratios']['median'] == pytest.approx(9.5 / 9)
    assert rows['joint', 4]['memory_to_largest'] == pytest.approx(140 / 110)
    assert rows['segmentation', 0]['latency_s']['median'] == pytest.approx(3)
    text = report_tasks(result)
    assert '1.056' in text and '1.273' in text and 'inpainting + denoising' in text


def with_clock(time_in_turns, now):
    return lambda *args, **kwargs: time_in_turns(*args, **kwargs, clock=lambda: now[0])


def test_other_models_and_tasks_are_one_line(spec, repository):
    with pytest.raises(ValueError, match='EncoderDecoder has no tasks, a MultiTaskSegmentor expected'):
        task_specs(WorkloadSpec(str(repository / PLAIN), 'train', (32, 48), 2))
    with pytest.raises(ValueError, match=r"task 'puzzle' not among those of the model: \['inpainting'"):
        build_workload(WorkloadSpec(spec.config, 'train', (32, 48), 2, tasks=('puzzle',)))
    options = {'train_dataloader.dataset.tasks.jigsaw.pipeline': [{'type': 'mmssl.LoadImage'}, {'type': 'Nothing'}]}
    with pytest.raises(ValueError, match="the pipeline of task 'jigsaw'.*Nothing"):
        build_workload(WorkloadSpec(spec.config, 'train', (32, 48), 2, options=options))
