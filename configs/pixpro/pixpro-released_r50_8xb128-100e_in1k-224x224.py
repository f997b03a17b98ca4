# The released code of PixPro (tools/pixpro_base_r50_100ep.sh), which S1, table 4.3, compares with: batch 1024, weight
# decay 1e-5, 100 epochs, and BYOL's views. It trains in mixed precision: --amp.
_base_ = 'pixpro_r50_1xb64-30e_in1k-224x224.py'
grey = dict(type='RandomGrayscale', prob=0.2, keep_channels=True, channel_weights=(0.114, 0.587, 0.2989))
solarize = dict(type='Solarize', thr=128, prob=0.2)
views = dict(
    type='mmssl.PixelViews',
    scale=224,
    transforms=[[_base_.jitter, grey, _base_.blur], [_base_.jitter, grey, dict(_base_.blur, prob=0.1), solarize]])
train_pipeline = [dict(type='mmssl.LoadImage'), views, dict(type='mmssl.PackPixelViews')]
train_dataloader = dict(batch_size=128, dataset=dict(pipeline=train_pipeline))
model = dict(loss_consistency=dict(loss_weight=2.0))  # -4 at best
optim_wrapper = dict(optimizer=dict(weight_decay=1e-5))
train_cfg = dict(max_epochs=100)
param_scheduler = [
    _base_.warm_up,
    dict(type='CosineAnnealingLR', eta_min=1e-6, begin=5, end=100, by_epoch=True, convert_to_iter_based=True),
]
