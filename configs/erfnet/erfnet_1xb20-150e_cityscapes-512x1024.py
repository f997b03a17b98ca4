# S0, chapter 4: ERFNet on Cityscapes from random weights; batch 20 (section 4.2), 150 epochs (table 5.4).
_base_ = [
    '../_base_/models/erfnet.py', '../_base_/datasets/cityscapes_512x1024.py', '../_base_/schedules/adam_150e.py',
    '../_base_/default_runtime.py'
]
model = dict(data_preprocessor=dict(size={{_base_.crop_size}}))
log_processor = dict(by_epoch=True)
auto_scale_lr = dict(enable=False, base_batch_size=20)
