# Small sibling of S0, tables 5.2 and 5.5, on CamVid: encoder from rotation, decoder from Otsu clusters,
# half of the labels.
_base_ = '../erfnet/erfnet_1xb8-600i_camvid-1of2-192x256.py'
custom_hooks = [
    *_base_.custom_hooks,
    dict(
        type='mmssl.WeightTransferHook',
        rules=[
            dict(source='work_dirs/rotation_erfnet_1xb16-600i_camvid-192x192', layers='1-16'),
            dict(source='work_dirs/otsu_erfnet_1xb8-600i_camvid-192x256', layers='17-22'),
        ]),
]
