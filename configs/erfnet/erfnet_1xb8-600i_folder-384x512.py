# Images and masks of your own: see docs/own_dataset.md; set num_classes to the lines of classes.txt.
_base_ = [
    '../_base_/models/erfnet.py', '../_base_/datasets/folder.py', '../_base_/schedules/adam_600i.py',
    '../_base_/default_runtime.py'
]
model = dict(data_preprocessor=dict(size={{_base_.crop_size}}), decode_head=dict(num_classes=2))
