# S1, table 4.2: self-attention in the place of PPM (section 3.1.2).
_base_ = 'pixpro_r50_1xb64-30e_in1k-224x224.py'
model = dict(propagation=dict(type='mmssl.SelfAttentionPropagation'))
# equation 3.2: it starts at 0, and the steps of LARS are in proportion to the weight
optim_wrapper = dict(paramwise_cfg=dict(custom_keys={'propagation.gamma': _base_.excluded}))
