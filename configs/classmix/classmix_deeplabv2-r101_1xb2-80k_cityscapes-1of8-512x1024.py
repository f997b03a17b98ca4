# S2, table 5.1: 80k iterations.
_base_ = './classmix_deeplabv2-r101_1xb2-40k_cityscapes-1of8-512x1024.py'
train_cfg = dict(max_iters=80000)
param_scheduler = [dict(type='PolyLR', power=0.9, eta_min=0, begin=0, end=80000, by_epoch=False)]
