"""Two gloo processes under mmengine's Runner against one process on the joint batch."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from mmssl.apis.cpu_distributed import prepare_cpu_distributed

# A script, as tools/train.py is one: torchrun starts it twice, or python once.
TRAIN = """
import atexit, glob, os, sys, torch
from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.registry import MODELS, DATASETS
from mmengine.runner import Runner
from mmssl.apis.cpu_distributed import prepare_cpu_distributed

@DATASETS.register_module()
class Samples(torch.utils.data.Dataset):
    def __init__(self):
        self.samples = torch.load(f'{sys.argv[1]}/samples.pt', weights_only=True)
    def __len__(self):
        return len(self.samples)
    def __getitem__(self, index):
        return dict(inputs=self.samples[index, :4], targets=self.samples[index, 4:])

@MODELS.register_module()
class Two(BaseModel):
    def __init__(self, norm):
        super().__init__()
        self.net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 2))
        self.net.load_state_dict(torch.load(f'{sys.argv[1]}/start.pt', weights_only=True))
        self.norm = norm
    def forward(self, inputs, targets, mode='tensor'):
        return dict(loss=(self.net(inputs) - targets).square().mean())

cfg = Config(dict(
    model=dict(type='Two', norm=dict(type='SyncBN')),
    work_dir=sys.argv[1], launcher='pytorch', env_cfg=dict(dist_cfg=dict(backend='nccl', timeout=60)),
    train_dataloader=dict(dataset=dict(type='Samples'), batch_size=2, num_workers=0,
                          collate_fn=dict(type='default_collate'), sampler=dict(type='DefaultSampler', shuffle=False)),
    train_cfg=dict(by_epoch=False, max_iters=4), default_hooks=dict(checkpoint=None),
    optim_wrapper=dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.3)), log_level='ERROR'))


def main():
    prepare_cpu_distributed(cfg)
    runner = Runner.from_cfg(cfg)
    runner.train()
    torch.save(dict(weights=runner.model.module.net.state_dict(), world=runner.world_size, seed=runner.seed,
                    norm=runner.model.module.norm['type']), f'{sys.argv[1]}/rank{runner.rank}.pt')

def report_threads():  # registered first, thus called last
    rank, names = os.environ['RANK'], [open(path).read().strip() for path in glob.glob('/proc/self/task/*/comm')]
    open(f'{sys.argv[1]}/threads{rank}.txt', 'w').write(' '.join(names))

atexit.register(report_threads)
main()
"""

FAIL = """
import torch
from mmengine.config import Config
from mmssl.apis.cpu_distributed import prepare_cpu_distributed
prepare_cpu_distributed(Config(dict(model=dict(), launcher='pytorch')))
if torch.distributed.get_rank() == 1:
    raise RuntimeError('rank 1 stops here')
torch.distributed.barrier()  # without an end from outside this waits for half an hour
"""


def torchrun(tmp_path: Path, repository: Path, text: str) -> subprocess.CompletedProcess:
    """Runs a script in two processes, as tools/dist_train.sh does."""
    script = tmp_path / 'script.py'
    script.write_text(text)
    environment = {**os.environ, 'PYTHONPATH': str(repository), 'OMP_NUM_THREADS': '1', 'CUDA_VISIBLE_DEVICES': ''}
    command = [sys.executable, '-m', 'torch.distributed.run', '--nnodes', '1', '--nproc-per-node', '2']
    command += ['--rdzv-backend', 'c10d', '--rdzv-endpoint', 'localhost:0', '--local-addr', 'localhost']
    command += [str(script), str(tmp_path)]
    return subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=170)


def test_two_processes_equal_one(tmp_path, repository):
    torch.manual_seed(0)
    samples = torch.randn(16, 6)
    net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 2))
    start = {name: weight.clone() for name, weight in net.state_dict().items()}
    torch.save(samples, tmp_path / 'samples.pt')
    torch.save(start, tmp_path / 'start.pt')
    result = torchrun(tmp_path, repository, TRAIN)
    assert result.returncode == 0, result.stderr[-3000:]
    first, second = (torch.load(tmp_path / f'rank{rank}.pt', weights_only=True) for rank in range(2))
    assert (first['world'], second['world']) == (2, 2)
    assert first['seed'] == second['seed']
    assert first['norm'] == second['norm'] == 'BN'
    # A thread of gloo that outlives the interpreter aborts the process now and then.
    assert 'gloo' not in ''.join((tmp_path / f'threads{rank}.txt').read_text() for rank in range(2))

    optimizer = torch.optim.SGD(net.parameters(), lr=0.3)
    for batch in samples.split(4):  # rank 0 takes samples 0, 2 of the first four, rank 1 takes 1, 3
        optimizer.zero_grad()
        (net(batch[:, :4]) - batch[:, 4:]).square().mean().backward()
        optimizer.step()
    for name, weight in net.state_dict().items():
        assert torch.equal(first['weights'][name], second['weights'][name])
        assert (first['weights'][name] - weight).abs().max() < 1e-6
        assert (start[name] - weight).abs().max() > 1e-2  # it did train


def test_failing_rank_ends_the_job(tmp_path, repository):
    result = torchrun(tmp_path, repository, FAIL)
    assert result.returncode != 0
    assert 'rank 1 stops here' in result.stderr


@pytest.fixture
def one_process_group(monkeypatch, tmp_path):
    """A gloo group of this process alone, opened here so that no port is needed."""
    torch.distributed.init_process_group('gloo', init_method=f'file://{tmp_path}/store', rank=0, world_size=1)
    for name, value in {'RANK': '0', 'WORLD_SIZE': '1', 'LOCAL_RANK': '0', 'MASTER_ADDR': 'localhost'}.items():
        monkeypatch.setenv(name, value)
    yield
    torch.distributed.destroy_process_group()


def test_config_keeps_what_was_set(one_process_group):
    cfg = Config(
        {
            'launcher': 'pytorch',
            'model': {'backbone': {'norm_cfg': {'type': 'SyncBN', 'eps': 1e-3}}, 'heads': [{'type': 'mmseg.SyncBN'}]},
            'model_wrapper_cfg': {'type': 'MMSeparateDistributedDataParallel', 'static_graph': True},
            'find_unused_parameters': True,
            'sync_bn': 'torch',
        }
    )
    assert prepare_cpu_distributed(cfg) is cfg
    assert cfg.model_wrapper_cfg == {
        'type': 'MMSeparateDistributedDataParallel',
        'static_graph': True,
        'broadcast_buffers': False,
        'find_unused_parameters': True,
        'device_ids': None,
    }
    assert cfg.model.backbone.norm_cfg == {'type': 'BN', 'eps': 1e-3}
    assert cfg.model.heads[0].type == 'BN'
    assert cfg.sync_bn is None
    assert cfg.env_cfg.dist_cfg.backend == 'gloo'


def test_slurm_variables_are_passed_on(one_process_group, monkeypatch):
    for name in ('RANK', 'WORLD_SIZE', 'LOCAL_RANK', 'MASTER_ADDR'):
        monkeypatch.delenv(name)
    values = {'SLURM_PROCID': '5', 'SLURM_NTASKS': '8', 'SLURM_LOCALID': '1', 'SLURM_NODELIST': 'node7'}
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    prepare_cpu_distributed(Config({'launcher': 'slurm', 'model': {}}))
    found = {name: os.environ[name] for name in ('RANK', 'WORLD_SIZE', 'LOCAL_RANK', 'MASTER_ADDR')}
    assert found == {'RANK': '5', 'WORLD_SIZE': '8', 'LOCAL_RANK': '1', 'MASTER_ADDR': 'node7'}
    for name in found:
        monkeypatch.delenv(name)  # set behind monkeypatch's back


@pytest.mark.parametrize(
    ('launcher', 'found'), [('pytorch', 'RANK is None'), ('slurm', 'SLURM_PROCID is None'), ('ssh', "'ssh' found")]
)
def test_missing_environment_is_one_line(launcher, found, monkeypatch):
    for name in ('RANK', 'SLURM_PROCID'):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ValueError, match=found) as caught:
        prepare_cpu_distributed(Config({'launcher': launcher, 'model': {}}))
    assert '\n' not in str(caught.value)
