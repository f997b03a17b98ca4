# What the candidates of the small searches are fine-tuned by: the quick start's 16 scenes with masks, in 200 iterations.
_base_ = '../classmix/supervised_erfnet_1xb4-700i_streets-1of25-64x96.py'
param_scheduler = [dict(type='PolyLR', power=0.9, eta_min=0, begin=0, end=200, by_epoch=False)]
train_cfg = dict(max_iters=200, val_interval=200)
default_hooks = dict(checkpoint=dict(interval=200))
