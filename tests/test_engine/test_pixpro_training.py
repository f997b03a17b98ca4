"""PixPro in a Runner on CamVid's images: the target's way, resuming, the log, transfer into the next task."""

import json

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from test_mean_teacher_hook import Watch, differing, part, student, teacher

from mmssl.compat import allow_mmengine_checkpoints
from mmssl.models.teachers.mean_teacher import rising_alpha

pytestmark = pytest.mark.filterwarnings('ignore::UserWarning')
NAME = 'pixpro-final_erfnet_1xb16-1500i_camvid-96x96.py'
ITERS = 4


@pytest.fixture(autouse=True)
def no_scope():
    yield
    DefaultScope._instance_dict.clear()


def small(repository, camvid_root, work_dir, **options) -> Config:
    """The final method's small recipe on views of 64x64 with few channels, ``ITERS`` iterations of 4."""
    cfg = Config.fromfile(repository / 'configs/pixpro' / NAME)
    cfg.work_dir = str(work_dir)
    cfg.train_dataloader.update(batch_size=4, num_workers=0, persistent_workers=False)
    cfg.train_dataloader.dataset.data_root = str(camvid_root)
    cfg.train_dataloader.dataset.pipeline[1].scale = 64
    cfg.train_dataloader.dataset.pipeline[2].translation = (-10, 10)
    cfg.model.backbone.widths = (4, 8, 16)
    cfg.model.neck.update(in_channels=16, hidden_channels=16, out_channels=8)
    cfg.model.propagation.in_channels = 8
    cfg.train_cfg.max_iters = cfg.param_scheduler[0].end = ITERS
    cfg.default_hooks.logger.interval = 1
    cfg.default_hooks.checkpoint.interval = 2
    cfg.experiment_name = f'{work_dir.name}-{work_dir.parent.name}'
    cfg.merge_from_dict(options)
    return cfg


def train(cfg) -> Watch:
    allow_mmengine_checkpoints()
    runner = Runner.from_cfg(cfg)
    watch = Watch()
    runner.register_hook(watch, priority='LOWEST')
    runner.train()
    return watch


def test_the_target_follows_the_student(repository, camvid_root, tmp_path):
    watch = train(small(repository, camvid_root, tmp_path))
    assert not differing(student(watch.start), teacher(watch.start))
    parameters = [name for name in student(watch.start) if name.endswith(('weight', 'bias'))]
    expected = {name: student(watch.start)[name].double() for name in parameters}
    for step in range(ITERS):
        alpha = rising_alpha(step, ITERS, 0.99, 1.0)
        now = student(watch.after[step])
        expected = {name: alpha * value + (1 - alpha) * now[name].double() for name, value in expected.items()}
        for name, value in expected.items():
            torch.testing.assert_close(teacher(watch.after[step])[name].double(), value, rtol=1e-5, atol=1e-7)
    # Statistics are the target's own: one update a step, of two views.
    counts = [int(v) for k, v in teacher(watch.after[-1]).items() if k.endswith('num_batches_tracked')]
    assert set(counts) == {ITERS}
    assert {int(v) for k, v in student(watch.after[-1]).items() if k.endswith('tracked')} == {2 * ITERS}
    assert part(watch.after[-1], 'teacher.')['steps'] == ITERS


def test_the_log_has_the_health(repository, camvid_root, tmp_path):
    watch = train(small(repository, camvid_root, tmp_path, **{'log_processor.window_size': 1}))
    (scalars,) = tmp_path.rglob('scalars.json')
    lines = [json.loads(line) for line in scalars.read_text().splitlines()]
    assert [line['step'] for line in lines] == [1, 2, 3, 4]
    for line, losses in zip(lines, watch.losses, strict=True):
        for name in ('loss_consistency', 'cosine', 'num_positives', 'no_overlap', 'feature_std'):
            assert line[name] == pytest.approx(losses[name], abs=1e-4), name
        assert -1 <= line['cosine'] <= 1 and 0 <= line['no_overlap'] <= 1
        assert line['num_positives'] > 0 and line['feature_std'] > 0


def test_a_resumed_run_is_the_uninterrupted_one(repository, camvid_root, tmp_path):
    """Weights, the target's statistics and momentum, and what is erased; with what the views draw held fixed."""
    whole = train(small(repository, camvid_root, tmp_path / 'whole', **FIXED_VIEWS))
    train(small(repository, camvid_root, tmp_path / 'half', **FIXED_VIEWS))
    for name in ('iter_4.pth', 'last_checkpoint'):
        (tmp_path / 'half' / name).unlink()
    (tmp_path / 'half/last_checkpoint').write_text(str(tmp_path / 'half/iter_2.pth'))
    cfg = small(repository, camvid_root, tmp_path / 'half', resume=True, **FIXED_VIEWS)
    cfg.experiment_name += '-resumed'
    resumed = train(cfg)
    assert len(resumed.after) == 2
    for step in range(2):
        assert resumed.losses[step]['loss_consistency'] == whole.losses[2 + step]['loss_consistency']
        assert not differing(resumed.after[step], whole.after[2 + step])


# The hosts do not restore the order of the data (it is the subject of another test there): every batch is the same.
FIXED_VIEWS = {
    'train_dataloader.dataset.indices': 4,
    'train_dataloader.sampler.shuffle': False,
    'train_dataloader.dataset.pipeline': [
        {'type': 'mmssl.LoadImage'},
        {
            'type': 'mmssl.PixelViews',
            'scale': 64,
            'crop_ratio_range': (1.0, 1.0),
            'aspect_ratio_range': (4 / 3, 4 / 3),
            'flip_prob': 0.0,
        },
        {'type': 'mmssl.AffineView', 'rotation': 20},
        {'type': 'mmssl.PackPixelViews'},
    ],
}


def test_online_encoder_is_the_start_of_the_next_task(repository, camvid_root, tmp_path):
    watch = train(small(repository, camvid_root, tmp_path / 'pretrain'))
    cfg = Config.fromfile(repository / 'configs/pixpro/finetune-pixpro-final_erfnet_1xb4-600i_camvid-1of30-96x128.py')
    cfg.work_dir = str(tmp_path / 'finetune')
    cfg.model.backbone.widths = (4, 8, 16)
    cfg.model.decode_head.in_channels = 16
    cfg.custom_hooks[1].rules[0].source = str(tmp_path / 'pretrain')
    cfg.train_dataloader.update(num_workers=0, persistent_workers=False)
    cfg.train_dataloader.dataset.data_root = str(camvid_root)
    cfg.train_cfg.update(max_iters=1, val_interval=100)
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    cfg.test_cfg = cfg.test_dataloader = cfg.test_evaluator = None
    cfg.experiment_name = f'finetune-{tmp_path.name}'
    found = train(cfg)
    encoder = part(student(watch.after[-1]), 'backbone.')
    assert not differing(encoder, part(found.start, 'backbone.'))
    assert len(encoder) > 100
