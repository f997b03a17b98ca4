# S2, table 5.2: mixing within the target domain only.
_base_ = './dacs_deeplabv2-r101_1xb2-250k_gta5-512x512_cityscapes.py'
model = dict(mix_source='unlabeled')
