"""Allow a checkpoint that fills a part of the model."""

from collections.abc import Sequence

from mmengine.hooks import Hook
from torch import nn

from mmssl.engine.run_parts import plain_model
from mmssl.partial_loading import allow_partial
from mmssl.registry import HOOKS


@HOOKS.register_module()
class PartialLoadHook(Hook):
    """Let ``init_cfg`` and ``load_from`` of this run leave tensors of the model as they are.

    Without it a load is an error when a tensor has another shape, or when fewer than half of the model's tensors are in
    the checkpoint (:mod:`mmssl.partial_loading`). ``WeightTransferHook`` is the other way, for parts by name. Where
    nothing fits, it is an error in any case.

    Args:
        least: share of the tensors, of the module that is loaded, that have to come from the checkpoint, 0 to 1.
        other_shapes: patterns of tensors that may have another shape in the checkpoint and are left out then, for
            example ``['decode_head.conv_seg.*']`` for another number of classes.

    Raises:
        ValueError: a share outside of 0 to 1; a pattern that is no text.
    """

    # After hooks that copy the model in before_run, as mmengine's EMAHook does.
    priority = 'VERY_LOW'

    def __init__(self, *, least: float = 0.5, other_shapes: Sequence[str] = ()):
        if not 0 <= least <= 1:
            raise ValueError(f'PartialLoadHook: least={least}, expected 0 to 1')
        if isinstance(other_shapes, str) or not all(isinstance(pattern, str) for pattern in other_shapes):
            raise ValueError(f'PartialLoadHook: other_shapes={other_shapes!r}, expected a list of patterns')
        self.least = least
        self.other_shapes = tuple(other_shapes)

    def before_run(self, runner) -> None:
        """Tell the model, and averages of it, before any weights are loaded."""
        averages = [getattr(hook, 'ema_model', None) for hook in runner.hooks]
        for model in [plain_model(runner), *averages]:
            if isinstance(model, nn.Module):
                allow_partial(model, self.least, self.other_shapes)
