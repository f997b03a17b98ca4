# Inpainting beside the segmentation (S4, section 2.3.1): a square is erased, the decoder gives the image back, MSE.
# A recipe of joint training inherits a segmentor's recipe and the files of its tasks.
inpainting = dict(
    weight=0.1,  # the report names none: configs/multi_task/README.md
    model=dict(
        type='EncoderDecoder',  # its data preprocessor is the segmentor's
        decode_head=dict(type='mmssl.ReconstructionHead', in_channels=128),
        train_cfg=dict(),
        test_cfg=dict(mode='whole')))
inpainting_target = [
    dict(type='mmssl.InpaintingTarget', side=(0.25, 0.5)),  # of the shorter side; the report names no size
    dict(type='mmssl.PackPretextInputs', pixel_keys=('gt_image', 'gt_erased')),
]
