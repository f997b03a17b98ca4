# Half of CamVid's labels (S0, table 5.5), drawn by tools/make_splits.py with seed 0.
_base_ = 'erfnet_1xb8-600i_camvid-192x256.py'
train_dataloader = dict(
    dataset=dict(ann_file='{{fileDirname}}/../_base_/splits/camvid/1of2-seed0/labeled.txt'))
