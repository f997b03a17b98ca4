# S1, table 4.3: from MoCo's weights, 200 epochs. The thesis does not name the version; of MoCo v1 these are the only
# ones. From https://dl.fbaipublicfiles.com/moco/moco_checkpoints/moco_v1_200ep/moco_v1_200ep_pretrain.pth.tar; names in
# it are module.encoder_q.conv1.weight and so on, without module. here.
_base_ = 'fcn16-random_r50_1xb7-100e_cityscapes-768x768.py'
rule = dict(source='pretrain/moco_v1_200ep_pretrain.pth.tar', modules='backbone', source_modules='encoder_q')
custom_hooks = [dict(type='mmssl.WeightTransferHook', rules=[rule])]
