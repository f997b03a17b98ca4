# S1, table 4.1: from PixPro with erasing with noise.
_base_ = 'fcn16-random_r50_1xb7-100e_cityscapes-768x768.py'
rule = dict(_base_.online_encoder, source='work_dirs/pixpro-erasing-gaussian_r50_1xb64-30e_in1k-224x224')
custom_hooks = [dict(type='mmssl.WeightTransferHook', rules=[rule])]
