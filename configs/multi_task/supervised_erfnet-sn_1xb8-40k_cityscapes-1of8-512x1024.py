# Baseline: ERFNet with Switchable Normalization (S4, section 2.4.1) on Cityscapes with 1/8 of the labels, 8 images a
# step (section 2.3). The list of the 372 images is made as for ClassMix: configs/classmix/README.md.
_base_ = [
    '../_base_/models/erfnet.py', '../_base_/datasets/cityscapes_plain_512x1024.py', '../_base_/schedules/sgd_40k.py',
    '../_base_/default_runtime.py'
]
norm_cfg = dict(type='mmssl.SwitchNorm2d')
model = dict(
    data_preprocessor=dict(size={{_base_.crop_size}}),
    backbone=dict(norm_cfg=norm_cfg),
    decode_head=dict(norm_cfg=norm_cfg, loss_decode=dict(class_weight=None)))  # plain cross entropy, section 2.4.2
custom_hooks = [dict(type='mmssl.FoldNormHook')]
train_dataloader = dict(batch_size=8, num_workers=8, dataset=dict(ann_file='splits/1of8-seed0/labeled.txt'))
# "Mainly SGD" (section 2.4.3), no numbers: those of the model zoo's schedules for Cityscapes.
optim_wrapper = dict(
    _delete_=True, type='OptimWrapper', optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=5e-4))
