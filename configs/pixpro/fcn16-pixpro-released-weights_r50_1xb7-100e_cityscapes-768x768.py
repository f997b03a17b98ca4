# S1, table 4.3: from the released weights of PixPro, 100 epochs: "model" in the first row of the table in the README of
# https://github.com/zdaxie/PixPro; names in it are module.encoder.conv1.weight and so on, without module. here.
_base_ = 'fcn16-random_r50_1xb7-100e_cityscapes-768x768.py'
rule = dict(source='pretrain/pixpro_base_r50_100ep.pth', modules='backbone', source_modules='encoder')
custom_hooks = [dict(type='mmssl.WeightTransferHook', rules=[rule])]
