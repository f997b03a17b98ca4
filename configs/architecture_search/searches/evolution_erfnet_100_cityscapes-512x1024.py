# Regularised evolution at full size: networks that cost no more than ERFNet with its 19 classes, 2,064,191 parameters
# and 53.2 GFLOPs. The paper's experiments have populations of 100 and samples of 25; the ratio is kept.
proxy = dict(
    recipe='{{fileDirname}}/../inpainting_erfnet_1xb20-10e_cityscapes-extra-448x896.py',
    metric='PSNR',
    higher_is_better=True)
segmentation = dict(
    recipe='{{fileDirname}}/../../erfnet/erfnet_1xb20-150e_cityscapes-512x1024.py',
    metric='mIoU',
    higher_is_better=True)
space = dict(
    depth=(1, 3, 5, 7, 9),  # ERFNet has 5
    widths=((8, 32, 64), (16, 48, 96), (16, 64, 112), (16, 64, 128), (24, 64, 128), (16, 64, 160)),  # the fourth
    dilations=(
        (2, 4, 8, 16),
        (1, 2, 4, 8, 16),
        (2, 4, 8, 2, 4, 8),
        (1, 1, 1, 1, 1, 1, 1, 1),
        (1, 2, 1, 4, 1, 8, 1, 16),
        (2, 4, 8, 16, 2, 4, 8, 16),  # ERFNet's
        (2, 4, 8, 16, 32, 2, 4, 8, 16, 32),
    ),
    norm_cfg=(
        dict(type='BN', eps=1e-3),  # eps of the public release
        dict(type='mmssl.SwitchNorm2d'),  # S4, section 2.4.1
        dict(type='GN', num_groups=8),
    ))
budget = dict(parameters=2_064_191, flops=53_208_678_400, shape=(512, 1024))
algorithm = dict(type='regularized_evolution', population_size=20, sample_size=5)
num_candidates = 100
seed = 0
