# S0, table 5.5, Kaiming initialisation: half of the labels. The thesis does not name its half; this one is drawn by
#   python tools/make_splits.py configs/_base_/datasets/cityscapes_512x1024.py --fraction 1/2 --seed 0 \
#       --out data/cityscapes/splits
_base_ = 'erfnet_1xb20-150e_cityscapes-512x1024.py'
train_dataloader = dict(dataset=dict(ann_file='splits/1of2-seed0/labeled.txt'))
