# S0, chapter 4: ERFNet on CamVid from random weights, whole images, with the schedule of Cityscapes.
_base_ = [
    '../_base_/models/erfnet.py', '../_base_/datasets/camvid_360x480.py', '../_base_/schedules/adam_150e.py',
    '../_base_/default_runtime.py'
]
model = dict(data_preprocessor=dict(size={{_base_.crop_size}}), decode_head=dict(num_classes=11))
log_processor = dict(by_epoch=True)
auto_scale_lr = dict(enable=False, base_batch_size=20)
