# S1, section 5.1.3: fixed affine view and black erasing together (both section 4.3.1).
_base_ = 'pixpro_r50_1xb64-30e_in1k-224x224.py'
affine = dict(type='mmssl.AffineView', rotation=30, translation=10, shear_x=10, shear_y=10)
train_pipeline = [dict(type='mmssl.LoadImage'), _base_.views, affine, dict(type='mmssl.PackPixelViews')]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
model = dict(erasing=dict(type='mmssl.BatchRandomErasing', fill='black', prob=1.0))
