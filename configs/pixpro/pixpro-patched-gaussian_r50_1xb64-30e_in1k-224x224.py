# S1, table 4.1: patches of noise in every view of the online encoder. Sizes are the default, section 4.3.1.
_base_ = 'pixpro_r50_1xb64-30e_in1k-224x224.py'
model = dict(erasing=dict(type='mmssl.BatchRandomPatchedErasing', fill='gaussian', prob=1.0))
