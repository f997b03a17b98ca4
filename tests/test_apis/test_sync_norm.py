"""SyncBN to BN in configs."""

from torch import nn

from mmssl.apis.sync_norm import sync_norm_to_norm


def test_every_depth_and_spelling():
    config = {
        'type': 'EncoderDecoder',
        'backbone': {'norm_cfg': {'type': 'SyncBN', 'requires_grad': True}, 'name': 'SyncBN'},
        'heads': [{'norm_cfg': {'type': 'mmcv.MMSyncBN'}}, ({'type': nn.SyncBatchNorm},)],
        'other': {'type': 'GN', 'num_groups': 4},
    }
    result, count = sync_norm_to_norm(config)
    assert count == 3
    assert result == {
        'type': 'EncoderDecoder',
        'backbone': {'norm_cfg': {'type': 'BN', 'requires_grad': True}, 'name': 'SyncBN'},
        'heads': [{'norm_cfg': {'type': 'BN'}}, ({'type': 'BN'},)],
        'other': {'type': 'GN', 'num_groups': 4},
    }
    assert config['backbone']['norm_cfg']['type'] == 'SyncBN'  # the argument is unchanged
