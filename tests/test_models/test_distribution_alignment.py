"""Distribution alignment against a slow reference (S2, section 2.5.6)."""

import json

import numpy as np
import pytest
import torch

from mmssl.errors import DataError, DataNotFoundError
from mmssl.models.teachers.distribution_alignment import DistributionAlignment

TARGET = [0.5, 0.3, 0.2]


def batches(count=4):
    generator = torch.Generator().manual_seed(0)
    for _ in range(count):
        valid = torch.rand(2, 4, 5, generator=generator) > 0.3
        yield (torch.randn(2, 3, 4, 5, generator=generator) * 2).softmax(1), valid


def slow_alignment(probabilities, valid, running, momentum):
    """Pixel by pixel, in numpy."""
    total, count = np.zeros(3), 0
    for b in range(2):
        for y in range(4):
            for x in range(5):
                if valid[b, y, x]:
                    total += probabilities[b, :, y, x]
                    count += 1
    running = momentum * running + (1 - momentum) * total / count
    out = np.zeros_like(probabilities)
    for b in range(2):
        for y in range(4):
            for x in range(5):
                scaled = [probabilities[b, k, y, x] * TARGET[k] / running[k] for k in range(3)]
                out[b, :, y, x] = np.array(scaled) / sum(scaled)
    return out, running


@pytest.mark.parametrize('momentum', [0.99, 0.5, 0.0])
def test_against_a_slow_reference(momentum):
    alignment, running = DistributionAlignment(num_classes=3, target=TARGET, momentum=momentum), np.array(TARGET)
    for probabilities, valid in batches():
        found = alignment(probabilities, valid)
        expected, running = slow_alignment(probabilities.double().numpy(), valid.numpy(), running, momentum)
        np.testing.assert_allclose(found.numpy(), expected, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(alignment.running.numpy(), running, rtol=1e-5)


def test_a_rare_class_is_raised():
    """A teacher that says (0.8, 0.1, 0.1) everywhere: the average goes there, and class 0 is turned down."""
    alignment = DistributionAlignment(num_classes=3, target=[1, 1, 1], momentum=0.9)
    constant = torch.tensor([0.8, 0.1, 0.1])[None, :, None, None].expand(1, 3, 2, 2)
    for _ in range(200):
        aligned = alignment(constant, torch.ones(1, 2, 2, dtype=torch.bool))
    assert alignment.running.tolist() == pytest.approx([0.8, 0.1, 0.1], abs=1e-5)
    assert aligned[0, :, 0, 0].tolist() == pytest.approx([1 / 3] * 3, abs=1e-4)


def test_nothing_valid_changes_nothing():
    alignment = DistributionAlignment(num_classes=3, target=TARGET)
    probabilities, _ = next(batches())
    found = alignment(probabilities, torch.zeros(2, 4, 5, dtype=torch.bool))
    torch.testing.assert_close(found, probabilities)
    assert alignment.running.tolist() == pytest.approx(TARGET)


def test_the_average_is_kept_in_checkpoints():
    alignment = DistributionAlignment(num_classes=3, target=TARGET)
    alignment(*next(batches()))
    other = DistributionAlignment(num_classes=3, target=[1, 1, 1])
    other.load_state_dict(alignment.state_dict())
    assert torch.equal(other.running, alignment.running) and torch.equal(other.target, alignment.target)


def test_labelled_shares_come_later_and_go_with_checkpoints():
    alignment = DistributionAlignment(num_classes=3, target='labeled')
    with pytest.raises(ValueError, match="target='labeled' was not counted: add mmssl.ClassShareHook"):
        alignment(*next(batches()))
    alignment.set_target([5, 3, 2])
    assert alignment.target.tolist() == pytest.approx(TARGET)
    alignment(*next(batches()))
    drifted = alignment.running.clone()
    alignment.set_target([5, 3, 2])  # a resumed run counts again
    assert torch.equal(alignment.running, drifted)
    other = DistributionAlignment(num_classes=3, target='labeled')
    assert {name: value.shape for name, value in other.state_dict().items()} == {
        name: value.shape for name, value in alignment.state_dict().items()
    }  # strict loading compares shapes first
    other.load_state_dict(alignment.state_dict())
    assert torch.equal(other.running, drifted) and torch.equal(other.target, alignment.target)
    other(*next(batches()))


def test_shares_from_a_file(tmp_path):
    for name, content in (
        ('list', [2, 1, 1]),
        ('tool', {'datasets': [{'frequencies': {'a': 0.5, 'b': 0.25, 'c': 0.25}}]}),
    ):
        path = tmp_path / f'{name}.json'
        path.write_text(json.dumps(content))
        assert DistributionAlignment(num_classes=3, target=str(path)).target.tolist() == [0.5, 0.25, 0.25]


def test_mistakes_are_named(tmp_path):
    with pytest.raises(DataNotFoundError, match=r'shares.json: the file of class shares does not exist'):
        DistributionAlignment(num_classes=3, target=str(tmp_path / 'shares.json'))
    (tmp_path / 'bad.json').write_text('{}')
    with pytest.raises(DataError, match='bad.json: neither numbers nor the frequencies of one dataset'):
        DistributionAlignment(num_classes=3, target=str(tmp_path / 'bad.json'))
    with pytest.raises(ValueError, match=r'target=\[1.0, -1.0, 1.0\], expected shares'):
        DistributionAlignment(num_classes=3, target=[1, -1, 1])
    with pytest.raises(ValueError, match='momentum=2, expected 0 to 1'):
        DistributionAlignment(num_classes=3, target=[1, 1, 1], momentum=2)
    with pytest.raises(ValueError, match='target has 2 shares, the model 3 classes'):
        DistributionAlignment(num_classes=3, target=[1, 1])
