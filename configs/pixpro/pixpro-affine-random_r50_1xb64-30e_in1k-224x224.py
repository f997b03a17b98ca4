# S1, table 4.1: one of the views is turned, shifted and sheared at random (section 4.3.1).
_base_ = 'pixpro_r50_1xb64-30e_in1k-224x224.py'
affine = dict(type='mmssl.AffineView', rotation=(-45, 45), translation=(-100, 100), shear_x=(-10, 10))
train_pipeline = [dict(type='mmssl.LoadImage'), _base_.views, affine, dict(type='mmssl.PackPixelViews')]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
