"""A small training that saves, for tests of checkpoints."""

import time
from pathlib import Path

import torch
from mmengine.evaluator import BaseMetric, Evaluator
from mmengine.model import BaseModel
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import DataLoader

from mmssl.compat import allow_mmengine_checkpoints

SCORES = [1.0, 3.0, 2.0, 5.0]


class Net(BaseModel):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 1)

    def forward(self, inputs, mode='tensor'):
        return {'loss': self.layer(inputs).square().mean()} if mode == 'loss' else [inputs]


class Score(BaseMetric):
    """One of ``SCORES`` at each validation."""

    def __init__(self, scores):
        super().__init__()
        self.scores = iter(scores)

    def process(self, data_batch, data_samples):
        self.results.append(0)

    def compute_metrics(self, results):
        return {'score': next(self.scores)}


def samples() -> list:
    generator = torch.Generator().manual_seed(0)
    return [{'inputs': torch.randn(3, generator=generator)} for _ in range(16)]


def runner(work_dir: Path, kind: str = 'mmssl.AtomicCheckpointHook', iterations: int = 8, **settings) -> Runner:
    """A training that saves and validates every second iteration."""
    allow_mmengine_checkpoints()
    torch.manual_seed(0)
    model = Net()
    resume = settings.pop('resume_from', None)
    return Runner(
        model=model,
        work_dir=str(work_dir),
        experiment_name=f'{work_dir.name}-{time.monotonic_ns()}',
        train_dataloader=DataLoader(samples(), batch_size=2),
        val_dataloader=DataLoader(samples(), batch_size=8),
        val_evaluator=Evaluator(Score(SCORES)),
        val_cfg={},
        train_cfg={'by_epoch': False, 'max_iters': iterations, 'val_interval': 2},
        optim_wrapper=OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)),
        default_hooks={'checkpoint': {'type': kind, 'interval': 2, 'by_epoch': False, **settings}},
        load_from=resume,
        resume=resume is not None,
    )


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob('*') if path.suffix == '.pth' or path.name.startswith('.')}
