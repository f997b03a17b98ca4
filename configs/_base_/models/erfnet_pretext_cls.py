# Pretext tasks that classify: ERFNet's encoder and the head of S0, section 3.1.2, in mmpretrain's classifier.
norm_cfg = dict(type='BN', eps=1e-3, requires_grad=True)  # eps of the public release
model = dict(
    type='ImageClassifier',
    data_preprocessor=dict(
        type='ClsDataPreprocessor', mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], to_rgb=True),
    backbone=dict(type='mmssl.ERFNetEncoder', norm_cfg=norm_cfg),
    head=dict(type='mmssl.PretextClsHead', in_channels=128, hidden_channels=128))
