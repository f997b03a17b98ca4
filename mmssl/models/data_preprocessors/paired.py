"""Labelled and unlabelled images of a pair, each prepared as the segmentor's config says."""

from mmengine.model import BaseDataPreprocessor
from torch import Tensor

from mmssl.errors import DataError
from mmssl.registry import MODELS

BRANCHES = ('labeled', 'unlabeled')


@MODELS.register_module()
class PairedDataPreprocessor(BaseDataPreprocessor):
    """Hand both branches of a batch to one data preprocessor; a plain batch (validation) too.

    Args:
        branch (dict): config of the data preprocessor, usually mmseg's ``SegDataPreProcessor``.
    """

    def __init__(self, *, branch: dict) -> None:
        super().__init__()
        self.branch = MODELS.build(branch)

    @property
    def mean(self) -> Tensor | None:
        """(3, 1, 1) float, what is subtracted, or None."""
        return getattr(self.branch, 'mean', None)

    @property
    def std(self) -> Tensor | None:
        """(3, 1, 1) float, what is divided by, or None."""
        return getattr(self.branch, 'std', None)

    def forward(self, data: dict, training: bool = False) -> dict:
        """Prepare a batch.

        Args:
            data: ``inputs`` and ``data_samples``: of a plain batch, or each a dict of the branches ``labeled`` and
                ``unlabeled``.
            training: whether images are padded to one size for training.

        Returns:
            The same form, with stacked, normalised images (B, 3, H, W) on the device of the model.

        Raises:
            DataError: the images of a branch come out with different sizes; a branch is missing.
        """
        if not isinstance(data['inputs'], dict):
            return self.branch(data, training)
        if set(data['inputs']) != set(BRANCHES):
            raise DataError(f'a batch has the branches {sorted(data["inputs"])}, expected {sorted(BRANCHES)}')
        prepared = {'inputs': {}, 'data_samples': {}}
        for name in BRANCHES:
            part = {'inputs': data['inputs'][name], 'data_samples': data['data_samples'][name]}
            if training:
                self._check_sizes(part, name)
            part = self.branch(part, training)
            prepared['inputs'][name], prepared['data_samples'][name] = part['inputs'], part['data_samples']
        return prepared

    def _check_sizes(self, part: dict, name: str) -> None:
        """Mmseg pads up to ``size`` and leaves what is larger; torch then says only that a stack failed."""
        if getattr(self.branch, 'size_divisor', None):
            return  # then mmseg pads to the largest image
        limit = getattr(self.branch, 'size', None)
        sizes = {}
        for image, sample in zip(part['inputs'], part['data_samples'], strict=True):
            size = tuple(image.shape[-2:])
            padded = tuple(max(pair) for pair in zip(size, limit, strict=True)) if limit else size
            sizes.setdefault(padded, sample.metainfo.get('img_path', '?'))
        if len(sizes) > 1:
            (first, one), (second, other), *_ = [(f'{h}x{w}', path) for (h, w), path in sizes.items()]
            kind = 'labelled' if name == 'labeled' else 'unlabelled'
            raise DataError(
                f'{kind} images of {first} ({one}) and {second} ({other}) in one batch, expected one size: add Resize '
                'or RandomCrop to the pipeline, and data_preprocessor.size'
            )
