# S2, table 4.1, baseline with 1/30 (100 images) of the labels, drawn by
#   python tools/make_splits.py configs/_base_/datasets/cityscapes_plain_512x1024.py --count 100 --seed 0 \
#       --out data/cityscapes/splits
_base_ = './supervised_deeplabv2-r101_1xb2-40k_cityscapes-512x1024.py'
train_dataloader = dict(dataset=dict(ann_file='splits/count100-seed0/labeled.txt'))
