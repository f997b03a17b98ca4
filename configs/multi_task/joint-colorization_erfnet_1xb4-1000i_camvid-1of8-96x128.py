# Colorization alone beside the segmentation: the small comparison.
_base_ = './joint-all_erfnet_1xb4-1000i_camvid-1of8-96x128.py'
model = dict(tasks=dict(_delete_=True, colorization=_base_.model.tasks.colorization))
train_dataloader = dict(dataset=dict(tasks=dict(_delete_=True, colorization=_base_.train_dataloader.dataset.tasks.colorization)))
optim_wrapper = dict(paramwise_cfg=None)  # that of the jigsaw
