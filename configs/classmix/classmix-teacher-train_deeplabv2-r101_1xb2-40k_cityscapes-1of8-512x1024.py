# A quirk of the released code: the released code's teacher stays in training mode, with statistics of its own.
_base_ = './classmix_deeplabv2-r101_1xb2-40k_cityscapes-1of8-512x1024.py'
model = dict(teacher=dict(buffers='own', mode='train'))  # ours: 'ema', 'eval'; the thesis does not say
