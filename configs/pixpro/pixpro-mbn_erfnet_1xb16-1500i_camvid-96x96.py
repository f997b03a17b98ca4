# Small sibling of S1, table 4.2, "Momentum BN": in the target encoder.
_base_ = 'pixpro_erfnet_1xb16-1500i_camvid-96x96.py'
# Both views are one update of the statistics; S1 names no coefficient.
model = dict(teacher=dict(norm_cfg=dict(type='mmssl.MomentumBN', coefficient=0.9, forwards_per_update=2)))
