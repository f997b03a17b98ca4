# S2, table 4.2, baseline with 1/4 (2,646 images) of the labels, drawn by
#   python tools/make_splits.py configs/_base_/datasets/voc12aug_321x321.py --fraction 1/4 --seed 0 \
#       --out data/VOCdevkit/VOC2012/splits
_base_ = './supervised_deeplabv2-r101_1xb10-40k_voc12aug-321x321.py'
train_dataloader = dict(dataset=dict(ann_file='splits/1of4-seed0/labeled.txt'))
