# Jigsaw beside the segmentation (S4, section 2.3.4): which of 100 permutations shuffled nine patches of 64x64.
jigsaw = dict(
    weight=0.1,  # the report names none: configs/multi_task/README.md
    model=dict(
        _scope_='mmpretrain',
        type='ImageClassifier',
        data_preprocessor=dict(type='mmssl.PatchDataPreprocessor', to_rgb=True),
        head=dict(
            type='mmssl.PretextClsHead', in_channels=128, num_patches=9, hidden_channels=4096, num_classes=100)))
jigsaw_pipeline = [
    dict(type='mmssl.LoadImage'),
    dict(type='RandomFlip', prob=0.5),
    dict(type='mmssl.RandomTranslate', max_shift=2),
    dict(type='mmpretrain.RandomResizedCrop', scale=225, crop_ratio_range=(0.3, 1.0)),
    dict(
        type='mmssl.JigsawTarget',
        permutations=100,
        num_permutations=100,
        # of each patch on its own, as in the pretext recipes
        patch_transforms=[
            dict(type='mmssl.RandomColorJitter', brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1)
        ]),
    dict(type='mmpretrain.PackInputs'),
]
