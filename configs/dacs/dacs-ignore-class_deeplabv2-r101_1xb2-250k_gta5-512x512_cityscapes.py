# A quirk of the released code: the ignored pixels of the source count as a class that can be drawn and pasted.
_base_ = './dacs_deeplabv2-r101_1xb2-250k_gta5-512x512_cityscapes.py'
model = dict(mixing=dict(ignore_as_class=True))  # thesis: classes only
