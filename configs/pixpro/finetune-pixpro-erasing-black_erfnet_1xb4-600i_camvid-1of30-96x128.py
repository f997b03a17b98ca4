# ERFNet on 12 of CamVid's images, its encoder from pixpro-erasing-black_erfnet_1xb16-1500i_camvid-96x96.
_base_ = 'random_erfnet_1xb4-600i_camvid-1of30-96x128.py'
custom_hooks = [
    dict(type='mmssl.FoldNormHook'),
    dict(
        type='mmssl.WeightTransferHook',
        rules=[
            dict(
                source='work_dirs/pixpro-erasing-black_erfnet_1xb16-1500i_camvid-96x96',
                modules='backbone',
                source_modules='student.backbone'),
        ]),
]
