# Denoising beside the segmentation (S4, section 2.3.2): noise is added, the decoder gives the image back, MSE.
denoising = dict(
    weight=0.1,  # the report names none: configs/multi_task/README.md
    model=dict(
        type='EncoderDecoder',  # its data preprocessor is the segmentor's
        decode_head=dict(type='mmssl.ReconstructionHead', in_channels=128),
        train_cfg=dict(),
        test_cfg=dict(mode='whole')))
denoising_target = [
    dict(type='mmssl.DenoisingTarget', std=25.0),  # grey levels; the report names no strength
    dict(type='mmssl.PackPretextInputs', pixel_keys=('gt_image',)),
]
