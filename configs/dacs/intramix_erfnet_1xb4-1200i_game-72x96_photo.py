# Mixing within street scenes in the look of a camera only, in place of DACS.
_base_ = './dacs_erfnet_1xb4-1200i_game-72x96_photo.py'
model = dict(mix_source='unlabeled')
