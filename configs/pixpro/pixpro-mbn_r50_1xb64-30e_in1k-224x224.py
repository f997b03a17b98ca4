# S1, table 4.2: Momentum BN in the target encoder.
_base_ = 'pixpro_r50_1xb64-30e_in1k-224x224.py'
model = dict(teacher=dict(norm_cfg=_base_.momentum_bn))
