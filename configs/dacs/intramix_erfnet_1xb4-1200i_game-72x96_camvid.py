# Mixing within CamVid only, in place of DACS.
_base_ = './dacs_erfnet_1xb4-1200i_game-72x96_camvid.py'
model = dict(mix_source='unlabeled')
