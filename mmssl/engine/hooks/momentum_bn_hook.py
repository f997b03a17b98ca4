"""Schedule the coefficient of Momentum BN."""

from mmengine.hooks import Hook

from mmssl.engine.run_parts import plain_model
from mmssl.models.layers.momentum_bn_schedule import momentum_bn_coefficient, set_momentum_bn_coefficient
from mmssl.registry import HOOKS


@HOOKS.register_module()
class MomentumBNHook(Hook):
    """Set the coefficient of every ``mmssl.MomentumBN`` of the model before each iteration.

        start + (end - start) * progress(iteration / max_iters)

    By the number of the iteration alone, so that a resumed run goes on with the right one. Without this hook the
    coefficient of the config is kept. S1 (section 2.1.3) names no schedule; the defaults are those of the released code
    of Momentum^2 Teacher.

    Args:
        start: weight of the past at the first iteration, 0 to 1.
        end: weight of the past at the end, 0 to 1.
        rule: ``'cosine'`` or ``'linear'``.

    Raises:
        ValueError: an option outside these values, or a model without such a layer.
    """

    def __init__(self, *, start: float = 0.0, end: float = 1.0, rule: str = 'cosine'):
        self.options = {'start': start, 'end': end, 'rule': rule}
        momentum_bn_coefficient(0, 1, **self.options)  # raises on options that are wrong

    def before_train_iter(self, runner, batch_idx: int, data_batch: dict | None = None) -> None:
        """Set it."""
        value = momentum_bn_coefficient(runner.iter, runner.max_iters, **self.options)
        if not set_momentum_bn_coefficient(plain_model(runner), value):
            raise ValueError('MomentumBNHook: the model has no mmssl.MomentumBN, expected it in a norm_cfg')
        runner.message_hub.update_scalar('train/momentum_bn', value)
