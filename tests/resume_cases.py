"""Trainings of the project's recipes, made short, in processes that can be killed; and the comparison of two."""

import json
import os
import signal
import time
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.hooks import Hook

ROOT = Path(__file__).resolve().parents[1]
TIMES = ('time', 'data_time', 'memory', 'eta')
ITERATIONS, SAVED, KILLED = 4, 2, 4
"""Of the whole run; of the checkpoint that a killed one leaves; in which it is killed."""
PRUNING = {'type': 'mmssl.LotteryTicketHook', 'sparsity': 0.5, 'scope': 'layer', 'modules': 'backbone'}
# Method to recipe, and to options of it.
METHODS = {
    'supervised': ('erfnet/erfnet_1xb8-600i_camvid-192x256.py', {}),
    'lottery ticket': (
        'erfnet/erfnet_1xb8-600i_camvid-192x256.py',
        {'custom_hooks': [{'type': 'mmssl.ClassWeightHook'}, PRUNING]},
    ),
    'rotation': ('pretext/rotation_erfnet_1xb16-600i_camvid-192x192.py', {}),
    'relative patch': ('pretext/relative-patch_erfnet_1xb16-600i_camvid-64x64.py', {}),
    'jigsaw': ('pretext/jigsaw_erfnet_1xb16-600i_camvid-64x64.py', {}),
    'inpainting': ('pretext/inpainting_erfnet_1xb8-600i_camvid-192x256.py', {}),
    'denoising': ('pretext/denoising_erfnet_1xb8-600i_camvid-192x256.py', {}),
    'colorization': ('pretext/colorization_erfnet_1xb8-600i_camvid-192x256.py', {}),
    'quantized colorization': ('pretext/colorization-ce_erfnet_1xb8-600i_camvid-192x256.py', {}),
    'otsu': ('pretext/otsu_erfnet_1xb8-600i_camvid-192x256.py', {}),
    'simclr': ('pretext/simclr_erfnet_1xb32-600i_camvid-96x128.py', {}),
    'pixpro': ('pixpro/pixpro_erfnet_1xb16-1500i_camvid-96x96.py', {}),
    'pixpro, momentum bn': ('pixpro/pixpro-mbn_erfnet_1xb16-1500i_camvid-96x96.py', {}),
    'pixpro, erasing': ('pixpro/pixpro-erasing-black_erfnet_1xb16-1500i_camvid-96x96.py', {}),
    'pixpro, local ppm': ('pixpro/pixpro-final_erfnet_1xb16-1500i_camvid-96x96.py', {}),
    'byol': ('byol/byol_r18_1xb32-1000i_coco128-96x96.py', {}),
    'mask r-cnn': ('byol/mask-rcnn-random_r18-fpn_1xb4-800i_coco128-320x240.py', {}),
    'classmix': ('classmix/classmix_erfnet_1xb4-1000i_camvid-1of8-96x128.py', {}),
    'cutmix': ('classmix/cutmix_erfnet_1xb4-1000i_camvid-1of8-96x128.py', {}),
    'cowmix': ('classmix/cowmix_erfnet_1xb4-1000i_camvid-1of8-96x128.py', {}),
    'dacs': ('dacs/dacs_erfnet_1xb4-1200i_game-72x96_camvid.py', {}),
    'joint training': ('multi_task/joint-all_erfnet_1xb4-1000i_camvid-1of8-96x128.py', {}),
    'joint training, classmix': ('multi_task/joint-classmix-all_erfnet_1xb4-1000i_camvid-1of8-96x128.py', {}),
}


class Killer(Hook):
    """Ends the process without a word, before an iteration, when the checkpoint before it is in its place."""

    priority = 'LOWEST'

    def __init__(self, iteration: int) -> None:
        self.iteration = iteration

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        if runner.iter + 1 == self.iteration:
            while not Path(runner.work_dir, 'last_checkpoint').exists():  # another rank writes it
                time.sleep(0.01)
            os.kill(os.getpid(), signal.SIGKILL)


def short_config(method: str, work_dir: Path, workers: int, options: dict | None = None) -> Config:
    """The recipe of a method: four iterations, a checkpoint after two, no validation."""
    from mmssl.apis.config import load_config

    recipe, changes = METHODS[method]
    cfg = load_config(str(ROOT / 'configs' / recipe), {'randomness.seed': 7} | changes | (options or {}))
    cfg.work_dir = str(work_dir)
    cfg.train_cfg.max_iters = ITERATIONS
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    cfg.test_cfg = cfg.test_dataloader = cfg.test_evaluator = None
    cfg.train_dataloader.batch_size = 2
    cfg.train_dataloader.num_workers = workers
    cfg.train_dataloader.persistent_workers = workers > 0
    cfg.default_hooks.logger.interval = 1
    cfg.default_hooks.checkpoint.update(interval=SAVED, max_keep_ckpts=-1, save_best=None)
    return cfg


def train(method: str, work_dir: Path, workers: int, kill: bool = False, resume: bool = False, **options) -> None:
    """A training of its own process; one rank of several where torchrun's variables are set."""
    from mmengine.runner import Runner

    from mmssl.apis.launch import prepare_launch
    from mmssl.apis.resuming import find_resume_checkpoint

    os.chdir(ROOT)
    cfg = short_config(method, work_dir, workers, options)
    cfg.launcher = 'pytorch' if 'RANK' in os.environ else 'none'
    if resume:
        cfg.resume, cfg.load_from = True, find_resume_checkpoint('latest', str(work_dir))
    prepare_launch(cfg)
    runner = Runner.from_cfg(cfg)
    if kill:
        runner.register_hook(Killer(KILLED))
    runner.train()


def losses(work_dir: Path) -> dict[int, dict[str, float]]:
    """What was logged last for each iteration, without times."""
    logged = {}
    for file in sorted(work_dir.glob('*/vis_data/scalars.json')):
        for line in file.read_text().splitlines():
            values = json.loads(line)
            logged[values['step']] = {key: values[key] for key in values if not key.startswith(TIMES)}
    return logged


def differences(first, second, where: str = '') -> list[str]:
    """Paths at which two checkpoints, or parts of them, are not the same bits."""
    if isinstance(first, dict) and isinstance(second, dict):
        found = [f'{where}: {key!r} in one only' for key in first.keys() ^ second.keys()]
        both = [key for key in first if key in second and not (isinstance(key, str) and key.split('/')[-1] in TIMES)]
        return found + [line for key in both for line in differences(first[key], second[key], f'{where}/{key}')]
    if isinstance(first, (list, tuple)) and isinstance(second, (list, tuple)) and len(first) == len(second):
        pairs = enumerate(zip(first, second, strict=True))
        return [line for place, pair in pairs for line in differences(*pair, f'{where}/{place}')]
    if hasattr(first, '_log_history'):  # mmengine's HistoryBuffer
        return differences(first._log_history.tolist(), second._log_history.tolist(), where)
    if isinstance(first, torch.Tensor):
        same = first.dtype == second.dtype and torch.equal(first, second)
    else:
        same = type(first) is type(second) and (first == second or first != first)
    return [] if same else [where]


def trained(work_dir: Path) -> dict:
    """The checkpoint of the last iteration, without when and where it was written."""
    from mmssl.tensor_file import read_tensor_file

    content = read_tensor_file(work_dir / f'iter_{ITERATIONS}.pth', 'checkpoint')
    for key in ('time', 'cfg', 'experiment_name'):
        content['meta'].pop(key)
    info = content['message_hub']['runtime_info']
    for key in ('cfg', 'last_ckpt', 'experiment_name'):
        info.pop(key, None)
    return content
