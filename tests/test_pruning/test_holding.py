"""Pruned weights stay zero under every optimiser; survivors train as they would."""

import copy

import pytest
import torch
from torch import nn

from mmssl.errors import DataError
from mmssl.pruning.holding import MaskHolder, apply_masks
from mmssl.pruning.selection import select_weights
from mmssl.pruning.ticket import find_masks

OPTIMIZERS = {
    'sgd': lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.01),
    'nesterov': lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.01, nesterov=True),
    'adam': lambda p: torch.optim.Adam(p, lr=0.01, weight_decay=0.1),
    'adamw': lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.1, amsgrad=True),
    'adamw-fused': lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.1, fused=True),
}


@pytest.fixture
def net():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 4, 1), nn.Flatten(), nn.Linear(16, 5)
    )


def masks_of(net, sparsity=0.5):
    parameters = dict(net.named_parameters())
    return find_masks({name: parameters[name] for name in select_weights(net, '*')}, sparsity)


def loss_of(net):
    return net(torch.randn(4, 3, 4, 4)).square().mean()


@pytest.mark.parametrize('optimizer', OPTIMIZERS)
def test_zero_after_ten_steps(net, optimizer):
    masks = masks_of(net)
    optimizer = OPTIMIZERS[optimizer](net.parameters())
    for _ in range(3):  # dense steps fill momentum and moments
        loss_of(net).backward()
        optimizer.step()
    holder = MaskHolder(net, masks)
    holder.apply()
    holder.attach([optimizer])
    start = copy.deepcopy(net.state_dict())
    for _ in range(10):
        optimizer.zero_grad()
        loss_of(net).backward()
        optimizer.step()
        for name, mask in masks.items():
            weight = dict(net.named_parameters())[name]
            assert torch.count_nonzero(weight[~mask]) == 0
            assert torch.equal(weight != 0, mask)
    for name, weight in net.named_parameters():
        moved = (weight != start[name])[masks.get(name, torch.ones_like(weight, dtype=torch.bool))]
        assert moved.float().mean() > 0.9, name
    assert holder.revived() == {}
    holder.detach()
    optimizer.step()
    assert holder.revived()  # momentum alone brings them back


def test_survivors_train_as_in_a_network_without_the_others(net):
    """Clipping by norm sees the gradient of the sparse network: the same as multiplying by masks in the forward."""
    masks = masks_of(net, 0.8)
    apply_masks(net, masks)
    reference = copy.deepcopy(net)
    for name, mask in masks.items():
        module = reference.get_submodule(name.removesuffix('.weight'))
        nn.utils.parametrize.register_parametrization(module, 'weight', Multiply(mask))
    runs = []
    for model, holder in ((net, MaskHolder(net, masks)), (reference, None)):
        optimizer = torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.9)
        if holder:
            holder.attach([optimizer])
        torch.manual_seed(1)
        for _ in range(5):
            optimizer.zero_grad()
            loss_of(model).backward()
            norm = nn.utils.clip_grad_norm_(model.parameters(), 0.05)
            optimizer.step()
        assert norm > 0.05  # it did clip
        runs.append(model(torch.ones(1, 3, 4, 4)))
    assert torch.allclose(runs[0], runs[1], rtol=1e-5, atol=1e-7)


class Multiply(nn.Module):
    def __init__(self, mask):
        super().__init__()
        self.mask = mask

    def forward(self, weight):
        return weight * self.mask


def test_frozen_first_trained_later(net):
    masks = masks_of(net)
    net.requires_grad_(False)
    net[5].requires_grad_(True)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, weight_decay=0.1)
    holder = MaskHolder(net, masks)
    holder.apply()
    holder.attach([optimizer])
    assert [p.requires_grad for p in net.parameters()] == [False] * 6 + [True] * 2
    loss_of(net).backward()
    optimizer.step()
    assert net[0].weight.grad is None
    net.requires_grad_(True)
    loss_of(net).backward()
    assert torch.count_nonzero(net[0].weight.grad[~masks['0.weight']]) == 0
    assert torch.count_nonzero(net[0].weight.grad) > 0
    optimizer.step()
    assert holder.revived() == {}


def test_loss_scaling_with_a_skipped_step(net):
    masks = masks_of(net)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, weight_decay=0.1)
    holder = MaskHolder(net, masks)
    holder.apply()
    holder.attach([optimizer])
    scaler = torch.amp.GradScaler('cpu', init_scale=2.0**10)
    scales = []
    for step in range(4):
        optimizer.zero_grad()
        with torch.autocast('cpu', torch.bfloat16):
            loss = loss_of(net) * (float('inf') if step == 1 else 1)
        before = net[0].weight.clone()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        scales.append(scaler.get_scale())
        assert torch.equal(before, net[0].weight) == (step == 1)
        assert holder.revived() == {}
    assert scales == [1024, 512, 512, 512]


def test_not_a_number_does_not_survive(net):
    masks = masks_of(net)
    with torch.no_grad():
        net[0].weight.fill_(float('nan'))
    apply_masks(net, masks)
    assert torch.equal(net[0].weight.isnan(), masks['0.weight'])


def test_revived_weights_are_counted(net):
    masks = masks_of(net)
    holder = MaskHolder(net, masks)
    holder.apply()
    assert holder.revived() == {}
    with torch.no_grad():
        net[3].weight.view(-1)[(~masks['3.weight']).view(-1).nonzero()[:3]] = 1.0
    assert holder.revived() == {'3.weight': 3}


def test_masks_of_another_model(net):
    before = copy.deepcopy(net.state_dict())
    masks = masks_of(net)
    with pytest.raises(DataError, match='round 1: 9.weight is pruned but not in Sequential'):
        MaskHolder(net, {**masks, '9.weight': masks['0.weight']}, 'round 1')
    wrong = {**masks, '5.weight': masks['0.weight']}
    with pytest.raises(DataError, match=r'the mask of 5.weight has another shape, \(8, 3, 3, 3\) found, \(5, 16\) exp'):
        apply_masks(net, wrong)
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())
