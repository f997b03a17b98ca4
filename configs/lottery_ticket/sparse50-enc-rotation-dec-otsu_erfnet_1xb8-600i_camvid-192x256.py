# Small sibling of S0, table 5.7, on CamVid: half of the encoder's weights are zero and stay so.
_base_ = '../selective_transfer/enc-rotation-dec-otsu_erfnet_1xb8-600i_camvid-192x256.py'
custom_hooks = [
    *_base_.custom_hooks,
    dict(type='mmssl.LotteryTicketHook', sparsity=0.5, scope='layer', modules='backbone'),
]
