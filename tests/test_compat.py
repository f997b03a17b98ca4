import pickle

import mmengine.config.config as config_module
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.logging import HistoryBuffer

from mmssl.compat import _statistic_of_history_buffer, allow_mmengine_checkpoints, format_configs_once


def test_a_history_buffer_survives_weights_only_loading(tmp_path):
    allow_mmengine_checkpoints()
    buffer = HistoryBuffer()
    for value in (1.0, 2.0, 6.0):
        buffer.update(value)
    path = tmp_path / 'checkpoint.pth'
    torch.save({'message_hub': {'log_scalars': {'loss': buffer}}, 'scalar': np.float64(3.5)}, path)
    loaded = torch.load(path, weights_only=True)
    restored = loaded['message_hub']['log_scalars']['loss']
    assert restored.statistics('mean') == pytest.approx(3.0)
    assert restored.data[0].tolist() == [1.0, 2.0, 6.0]
    assert loaded['scalar'] == 3.5


class Malicious:
    """Runs a function when it is unpickled without a check."""

    ran = False

    def __reduce__(self):
        return (exec, ('import tests_malicious_marker',))


class ReadsAnAttribute:
    """Asks for an attribute beyond the four statistics."""

    def __reduce__(self):
        return (getattr, (HistoryBuffer, '__init__'))


@pytest.mark.parametrize('attack', [Malicious(), ReadsAnAttribute()])
def test_nothing_else_is_executed(tmp_path, attack):
    allow_mmengine_checkpoints()
    path = tmp_path / 'checkpoint.pth'
    torch.save({'state_dict': {}, 'attack': attack}, path)
    with pytest.raises((pickle.UnpicklingError, ValueError)):
        torch.load(path, weights_only=True)


def test_getattr_means_a_statistic_only():
    assert _statistic_of_history_buffer(HistoryBuffer, 'mean') is HistoryBuffer.mean
    with pytest.raises(ValueError, match="attribute '__globals__'"):
        _statistic_of_history_buffer(HistoryBuffer.mean, '__globals__')


def test_the_text_of_a_config_is_formatted_once():
    format_configs_once()
    formatted = config_module.FormatCode.formatted
    cfg = Config({'model': {'type': 'Net', 'width': 1}})
    text = cfg.pretty_text
    kept = dict(formatted)
    assert cfg.pretty_text == text
    assert formatted == kept
    cfg.model.width = 3
    assert cfg.pretty_text == text.replace('width=1', 'width=3') != text
    for number in range(20):
        assert cfg.merge_from_dict({'number': number}) or f'number = {number}' in cfg.pretty_text
    assert len(formatted) == 8
