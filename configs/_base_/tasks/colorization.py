# Colorization beside the segmentation (S4, sections 2.3.3 and 2.4.2): grey images, cross entropy over 261 colours.
colorization = dict(
    model=dict(
        type='EncoderDecoder',  # its data preprocessor is the segmentor's
        decode_head=dict(type='mmssl.QuantizedColorizationHead', in_channels=128),
        train_cfg=dict(),
        test_cfg=dict(mode='whole')))
colorization_target = [
    dict(type='mmssl.ColorizationTarget'),
    dict(type='mmssl.PackPretextInputs', pixel_keys=('gt_ab',)),
]
