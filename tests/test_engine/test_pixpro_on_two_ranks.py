"""PixPro on two gloo processes against one process with the joint batch: losses, gradients, target."""

import pytest
import torch
from mmengine.registry import DefaultScope, init_default_scope

SIDE, EACH, STEPS = 64, 2, 2
# Synchronised on any device: coefficient 0 is batch normalisation.
SYNCED = {'type': 'mmssl.MomentumBN', 'coefficient': 0.0, 'sync': True}
TARGET = {'type': 'mmssl.MomentumBN', 'coefficient': 0.5, 'sync': True, 'forwards_per_update': 2}

RANKS = """
import os, sys, torch
root, tests, rank = sys.argv[1], sys.argv[2], int(os.environ['RANK'])
sys.path.insert(0, tests)
from test_pixpro_on_two_ranks import steps
torch.distributed.init_process_group('gloo', init_method=f'file://{root}/store', rank=rank, world_size=2)
torch.save(steps(rank), f'{root}/rank{rank}.pt')
"""


def build():
    from mmssl.models.selfsup.pixpro import PixPro

    init_default_scope('mmpretrain')
    torch.manual_seed(0)
    model = PixPro(
        data_preprocessor={'type': 'mmpretrain.SelfSupDataPreprocessor', 'mean': [120.0] * 3, 'std': [60.0] * 3},
        backbone={'type': 'mmssl.ERFNetEncoder', 'widths': (4, 8, 16), 'dropout': (0.0, 0.0), 'norm_cfg': SYNCED},
        neck={
            'type': 'mmssl.ConvProjector',
            'in_channels': 16,
            'hidden_channels': 16,
            'out_channels': 8,
            'norm_cfg': SYNCED,
        },
        propagation={'type': 'mmssl.LocalPPM', 'in_channels': 8, 'frame_size': 5},
        teacher={'alpha': 0.9, 'end_alpha': None, 'norm_cfg': TARGET},
    )
    model.double().train()
    model.teacher.synchronize(model.student)
    return model


def steps(rank: int | None) -> list[dict]:
    """Train on the rank's images of a joint batch, or on all of them; gradients are averaged as DDP does."""
    from mmengine.dist import all_reduce, get_world_size

    from mmssl.testing import pixel_views_batch

    model = build()
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    found = []
    for step in range(STEPS):
        data = pixel_views_batch(batch_size=2 * EACH, side=SIDE, seed=step)
        # The first image of the first rank has no overlap: it counts in the mean over all images.
        boxes = torch.tensor([[0.0, 0, 10, 10], [100, 100, 110, 110]])
        data['data_samples'][0].set_field(boxes, 'boxes', field_type='metainfo')
        own = {None: slice(None), 0: slice(EACH), 1: slice(EACH, None)}[rank]
        data = {
            'inputs': [view[own] for view in data['inputs']],
            'data_samples': data['data_samples'][own],
        }
        data = model.data_preprocessor(data, True)
        model.begin_iteration(step, 0)
        losses = model([view.double() for view in data['inputs']], data['data_samples'], mode='loss')
        optimizer.zero_grad()
        losses['loss_consistency'].backward()
        gradients = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
        for gradient in gradients.values():
            all_reduce(gradient, op='mean')
        optimizer.step()
        model.teacher.update(model.student)
        found.append(
            {
                'loss': losses['loss_consistency'].detach() / get_world_size(),
                'gradients': {name: gradient.clone() for name, gradient in gradients.items()},
                'state': {name: value.clone() for name, value in model.state_dict().items()},
            }
        )
    return found


@pytest.fixture(scope='module')
def ranks(tmp_path_factory, run_on_two_ranks):
    """What each rank has computed."""
    root = tmp_path_factory.mktemp('ranks')
    run_on_two_ranks(RANKS, root)
    return [torch.load(root / f'rank{rank}.pt', weights_only=True) for rank in range(2)]


def test_two_ranks_are_one_rank_with_the_joint_batch(ranks):
    expected = steps(None)
    DefaultScope._instance_dict.clear()
    for first, second, one in zip(*ranks, expected, strict=True):
        torch.testing.assert_close(first['loss'] + second['loss'], one['loss'], rtol=0, atol=1e-10)
        assert first['gradients'].keys() == one['gradients'].keys()
        assert all(name.startswith(('student.', 'propagation.')) for name in one['gradients'])
        for name, gradient in one['gradients'].items():
            scale = max(float(gradient.abs().max()), 1e-3)
            torch.testing.assert_close(first['gradients'][name], gradient, rtol=0, atol=1e-8 * scale, msg=name)
        for name, value in one['state'].items():
            assert torch.equal(first['state'][name], second['state'][name]), name
            torch.testing.assert_close(first['state'][name], value, rtol=1e-7, atol=1e-8, msg=name)
    # The target's own statistics moved.
    names = [name for name in one['state'] if name.startswith('teacher.model.') and 'running' in name]
    assert all(not torch.equal(expected[0]['state'][name], one['state'][name]) for name in names)
