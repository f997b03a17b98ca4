"""What a step of pixel-level pretraining leaves for hooks that look at it."""

from dataclasses import dataclass

from mmengine.structures import BaseDataElement
from torch import Tensor


@dataclass
class PixelRecord:
    """Two views of a batch and the maps made of them; the tensors are detached and on the device of the model.

    A hook asks for it by ``model.wants_record = True`` before an iteration and finds it as ``model.record`` after.
    Cells of ``online``, ``target``, ``valid`` and ``pairs`` lie in the frame of the view before its affine map.

    Attributes:
        views: two (B, 3, H, W), float, normalised: what the target encoder sees, warped where ``affine`` says so.
        erased: two (B, 3, H, W), float, normalised: what the online encoder sees; ``views`` where nothing is erased.
        boxes: (B, 2, 4), float32: x1, y1, x2, y2 in pixels of the image, x1 > x2 where the view is flipped.
        affine: (B, 2, 2, 3), float32: coordinates of the warped view to those of the view before, normalised as in
            ``torch.nn.functional.affine_grid(align_corners=False)``.
        raw: two (B, C, h, w), float: y of the online branch, in the frame of the view as it is shown.
        online: two (B, C, h, w), float: y on its way back from the warp.
        target: two (B, C, h, w), float: x' of the target encoder, on its way back.
        valid: two (B, h, w), bool, the cells with image behind them; None is everywhere.
        pairs: (B, h * w, h * w), bool: positive pairs, rows are cells of view 1, columns those of view 2.
        data_samples: of the B images.
    """

    views: tuple[Tensor, Tensor]
    erased: tuple[Tensor, Tensor]
    boxes: Tensor
    affine: Tensor
    raw: tuple[Tensor, Tensor]
    online: tuple[Tensor, Tensor]
    target: tuple[Tensor, Tensor]
    valid: tuple[Tensor | None, Tensor | None]
    pairs: Tensor
    data_samples: list[BaseDataElement]
