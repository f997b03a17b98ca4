# S1, table 4.2: propagation within 5x5 of the 14x14 pixels, Momentum BN in the target encoder.
_base_ = 'pixpro_r50_1xb64-30e_in1k-224x224.py'
model = dict(
    backbone=_base_.dilated,
    propagation=dict(type='mmssl.LocalPPM', frame_size=5),
    teacher=dict(norm_cfg=_base_.momentum_bn))
