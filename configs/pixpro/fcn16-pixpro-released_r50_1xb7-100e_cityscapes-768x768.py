# From PixPro trained here with the released code's settings; S1, table 4.3, has the weights that were released.
_base_ = 'fcn16-random_r50_1xb7-100e_cityscapes-768x768.py'
rule = dict(_base_.online_encoder, source='work_dirs/pixpro-released_r50_8xb128-100e_in1k-224x224')
custom_hooks = [dict(type='mmssl.WeightTransferHook', rules=[rule])]
