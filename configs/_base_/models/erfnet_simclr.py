# SimCLR, S0, section 3.2.7: ERFNet's encoder, the projection head of section 3.1.2, NT-Xent over all ranks.
norm_cfg = dict(type='BN', eps=1e-3, requires_grad=True)  # eps of the public release
model = dict(
    type='mmssl.NTXentSimCLR',
    data_preprocessor=dict(
        type='SelfSupDataPreprocessor', mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], to_rgb=True),
    backbone=dict(type='mmssl.ERFNetEncoder', norm_cfg=norm_cfg),
    neck=dict(type='mmssl.MaxPoolMLP', in_channels=128, hidden_channels=128, out_channels=128),
    head=dict(type='mmssl.NTXentHead', temperature=0.5))  # equation 3.5
