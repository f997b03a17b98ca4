# The model zoo's ERFNet with the data, loss, schedule and optimiser of its neighbour, for comparison.
_base_ = './erfnet_1xb8-600i_camvid-192x256.py'
norm_cfg = dict(type='BN', requires_grad=True)
model = dict(
    backbone=dict(_delete_=True, type='ERFNet'),
    decode_head=dict(
        _delete_=True,
        type='FCNHead',
        in_channels=16,
        channels=128,
        num_convs=1,
        concat_input=False,
        dropout_ratio=0.1,
        num_classes=11,
        norm_cfg=norm_cfg,
        loss_decode=dict(type='mmssl.WeightedCrossEntropyLoss', class_weight='enet')))
