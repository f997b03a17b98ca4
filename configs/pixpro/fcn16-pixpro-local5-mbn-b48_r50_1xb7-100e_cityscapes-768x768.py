# S1, table 4.2: from PixPro with LocalPPM 5x5, Momentum BN and batch 48.
_base_ = 'fcn16-random_r50_1xb7-100e_cityscapes-768x768.py'
rule = dict(_base_.online_encoder, source='work_dirs/pixpro-local5-mbn_r50_1xb48-30e_in1k-224x224')
custom_hooks = [dict(type='mmssl.WeightTransferHook', rules=[rule])]
