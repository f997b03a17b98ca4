# The small BYOL on 400 street scenes, which tools/dataset_converters/street_scenes.py writes.
_base_ = 'byol_r18_1xb32-1000i_coco128-96x96.py'
train_dataloader = dict(dataset=dict(data_root='data/streets/', data_prefix=dict(img_path='train')))
