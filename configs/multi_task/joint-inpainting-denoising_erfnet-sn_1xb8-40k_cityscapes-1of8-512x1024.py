# Inpainting and denoising beside the segmentation: Cityscapes with 1/8 of the labels.
_base_ = './joint-all_erfnet-sn_1xb8-40k_cityscapes-1of8-512x1024.py'
model = dict(tasks=dict(_delete_=True, inpainting=_base_.model.tasks.inpainting, denoising=_base_.model.tasks.denoising))
train_dataloader = dict(
    dataset=dict(
        tasks=dict(
            _delete_=True,
            inpainting=_base_.train_dataloader.dataset.tasks.inpainting,
            denoising=_base_.train_dataloader.dataset.tasks.denoising)))
