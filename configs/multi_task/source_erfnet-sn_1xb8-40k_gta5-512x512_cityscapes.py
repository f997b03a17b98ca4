# Baseline: trained on GTA5 alone, evaluated on Cityscapes; network and optimiser as on Cityscapes.
_base_ = [
    '../_base_/models/erfnet.py', '../_base_/datasets/gta5_512x512.py', '../_base_/schedules/sgd_40k.py',
    '../_base_/default_runtime.py'
]
norm_cfg = dict(type='mmssl.SwitchNorm2d')
model = dict(
    data_preprocessor=dict(size={{_base_.crop_size}}),
    backbone=dict(norm_cfg=norm_cfg),
    decode_head=dict(norm_cfg=norm_cfg, loss_decode=dict(class_weight=None)))  # plain cross entropy, section 2.4.2
custom_hooks = [dict(type='mmssl.FoldNormHook')]
train_dataloader = dict(batch_size=8, num_workers=8)
optim_wrapper = dict(
    _delete_=True, type='OptimWrapper', optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=5e-4))
