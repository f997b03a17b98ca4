"""Several tasks under DistributedDataParallel: gradients are the means of those of the ranks, in both modes."""

import pytest
import torch
from multi_task_cases import batch, build, gradients, step

RANKS = """
import os, sys, torch
sys.path.insert(0, os.path.dirname(sys.argv[2]))
from mmengine.model import MMDistributedDataParallel
from mmengine.registry import init_default_scope
from multi_task_cases import batch, build, gradients
import mmssl.models

root, rank = sys.argv[1], int(os.environ['RANK'])
torch.distributed.init_process_group('gloo', init_method=f'file://{root}/store', rank=rank, world_size=2)
init_default_scope('mmseg')

class Double(torch.nn.Module):
    # Images for a model of double precision, whose sums do not hide a difference.
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, data):
        data = self.model.data_preprocessor(data, True)
        inputs = {name: images.double() for name, images in data['inputs'].items()}
        return self.model.loss(inputs, data['data_samples'])

data = batch()
if rank:
    data['inputs'] = {name: [255 - image for image in images] for name, images in data['inputs'].items()}
found = {}
for mode in ('joint', 'sequential'):
    model = build(mode=mode, balance={'type': 'mmssl.GradNormBalance', 'interval': 2})
    wrapped = MMDistributedDataParallel(Double(model), device_ids=None, broadcast_buffers=False)
    model.begin_iteration(1, 0)  # nothing moves the weights
    for _ in range(2):  # the wrapper sorts its buckets anew after the first pass
        model.zero_grad()
        wrapped(data)['loss'].backward()
    found[mode] = gradients(model)
    model.begin_iteration(2, 0)
    wrapped(data)['loss'].backward()
    found[mode + ' weight'] = model.balance.weight
torch.save(found, f'{root}/rank{rank}.pt')
"""


@pytest.mark.usefixtures('mmseg_scope')
def test_gradients_are_means_of_the_ranks(tmp_path, run_on_two_ranks):
    run_on_two_ranks(RANKS, tmp_path)
    first, second = (torch.load(tmp_path / f'rank{rank}.pt', weights_only=True) for rank in range(2))
    for key, value in first.items():
        assert torch.equal(value, second[key]), key
    data = batch()
    other = {name: [255 - image for image in images] for name, images in data['inputs'].items()}
    parts = []
    for inputs in (data['inputs'], other):
        model = build()
        step(model, {**data, 'inputs': inputs})
        parts.append(gradients(model))
    expected = (parts[0] + parts[1]) / 2
    assert (parts[0] - parts[1]).abs().max() > 1e-3 * expected.abs().max()
    for mode in ('joint', 'sequential'):
        assert (first[mode] - expected).abs().max() < 1e-9 * expected.abs().max()
        assert not torch.equal(first[f'{mode} weight'], torch.ones(3, dtype=torch.float64))
    assert torch.allclose(first['joint weight'], first['sequential weight'], rtol=1e-6)
