# Jigsaw alone beside the segmentation: GTA5 labelled, Cityscapes not.
_base_ = './joint-all_erfnet-sn_1xb8-40k_gta5-512x512_cityscapes.py'
model = dict(tasks=dict(_delete_=True, jigsaw=_base_.model.tasks.jigsaw))
train_dataloader = dict(dataset=dict(tasks=dict(_delete_=True, jigsaw=_base_.train_dataloader.dataset.tasks.jigsaw)))
