# Random search, the baseline: 12 of 180 networks, those within about two thirds of ERFNet's cost.
proxy = dict(
    recipe='{{fileDirname}}/../inpainting_erfnet_1xb4-200i_streets-64x96.py', metric='PSNR', higher_is_better=True)
segmentation = dict(
    recipe='{{fileDirname}}/../finetune_erfnet_1xb4-200i_streets-1of25-64x96.py', metric='mIoU', higher_is_better=True)
space = dict(
    depth=(1, 3, 5),  # ERFNet has 5
    widths=((8, 24, 48), (16, 32, 64), (16, 48, 96), (16, 64, 128)),  # ERFNet is the last
    # Maps at stride 8 have 8x12 pixels: a dilation of 16 sees zeros on both sides. ERFNet has the last.
    dilations=((1, 2), (1, 1, 1, 1), (2, 4, 2, 4), (1, 2, 4, 8), (2, 4, 8, 16, 2, 4, 8, 16)),
    norm_cfg=(
        dict(type='BN', eps=1e-3),  # eps of the public release
        dict(type='mmssl.SwitchNorm2d'),  # S4, section 2.4.1
        dict(type='GN', num_groups=8),
    ))
budget = dict(parameters=1_300_000, flops=0.42e9, shape=(64, 96))  # ERFNet has 2,063,346 and 0.621 GFLOPs
algorithm = dict(type='random')
num_candidates = 12
seed = 0
