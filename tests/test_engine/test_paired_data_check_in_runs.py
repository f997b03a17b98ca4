"""The check of paired data inside a Runner, resumed, and on two ranks."""

import pytest
import torch
from mmengine.registry import MODELS
from mmengine.runner import Runner
from test_paired_data_check_hook import CLASSES, Net, labeled, unlabeled

from mmssl.errors import DataError

pytestmark = pytest.mark.usefixtures('mmseg_scope')


def config(work_dir, **changes):
    cfg = {
        'model': {'type': 'PairedNet'},
        'work_dir': str(work_dir),
        'experiment_name': work_dir.name,
        'default_scope': 'mmseg',
        'log_level': 'WARNING',
        'train_dataloader': {
            'batch_size': 2,
            'num_workers': 0,
            'sampler': {'type': 'mmssl.PairedInfiniteSampler'},
            'dataset': {'type': 'mmssl.PairedDataset', 'labeled': labeled(), 'unlabeled': unlabeled()},
        },
        'train_cfg': {'by_epoch': False, 'max_iters': 3},
        'optim_wrapper': {'optimizer': {'type': 'SGD', 'lr': 0.1}},
        'randomness': {'seed': 0},
        'custom_hooks': [{'type': 'mmssl.PairedDataCheckHook'}],
    }
    return {**cfg, **changes}


@pytest.fixture
def registered():
    MODELS.register_module(name='PairedNet', module=Net, force=True)
    yield
    MODELS._module_dict.pop('PairedNet')


def test_a_run_is_the_same_with_and_without_the_hook(tmp_path, registered):
    weights = []
    for name, hooks in (('with', [{'type': 'mmssl.PairedDataCheckHook'}]), ('without', [])):
        runner = Runner(**config(tmp_path / name, custom_hooks=hooks))
        runner.train()
        weights.append(runner.model.layer.weight)
    assert torch.equal(*weights)
    assert not torch.equal(weights[0], Net().layer.weight)


def test_a_resumed_run_is_looked_at_too(tmp_path, registered):
    hooks = {'checkpoint': {'type': 'CheckpointHook', 'interval': 2, 'by_epoch': False}}
    Runner(**config(tmp_path / 'run', default_hooks=hooks)).train()
    cfg = config(tmp_path / 'run', load_from=str(tmp_path / 'run/iter_2.pth'), resume=True)
    cfg['experiment_name'] += '-resumed'
    cfg['train_dataloader']['dataset']['unlabeled'] = unlabeled(metainfo={'classes': CLASSES}, size=(96, 80))
    cfg['train_dataloader']['dataset']['unlabeled']['pipeline'][1] = {'type': 'Resize', 'scale': (96, 96)}
    cfg['model'] = {'type': 'PairedNet', 'mix_source': 'labeled'}
    with pytest.raises(DataError, match='labelled batches have 64x64 and unlabelled batches have 96x96'):
        Runner(**cfg).train()


RANKS = """
import os, sys, torch
sys.path.insert(0, sys.argv[2])
from mmengine.registry import init_default_scope
from test_paired_data_check_hook import Net, PairedDataCheckHook, make_runner
init_default_scope('mmseg')
rank = int(os.environ['RANK'])
torch.distributed.init_process_group('gloo', init_method=f'file://{sys.argv[1]}/store', rank=rank, world_size=2)
hook = PairedDataCheckHook()
hook.before_train(make_runner())
hook._without_label = rank + 2
runner = make_runner()
runner.logger.warning = lambda text: print(rank, text)
hook.after_train(runner)
try:
    hook.before_train(make_runner(model=Net(num_classes=4)))
except ValueError as caught:
    print(rank, type(caught).__name__, caught)
"""


def test_two_ranks_raise_together(tmp_path, run_on_two_ranks):
    for rank, printed in enumerate(run_on_two_ranks(RANKS, tmp_path)):
        lines = [line for line in printed.splitlines() if line.startswith(f'{rank} ')]
        assert lines[0] == f'{rank} PairedDataCheckHook: 5 batches of this run had no labelled pixel'
        assert lines[1].startswith(f'{rank} DataError the model predicts 4 classes, the training dataset has 11')
