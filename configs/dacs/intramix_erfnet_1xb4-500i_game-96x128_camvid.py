# Mixing within CamVid only, in place of DACS.
_base_ = './dacs_erfnet_1xb4-500i_game-96x128_camvid.py'
model = dict(mix_source='unlabeled')
