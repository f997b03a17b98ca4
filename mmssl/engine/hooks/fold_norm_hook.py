"""Test with batch norms folded into convolutions."""

from mmengine.hooks import Hook

from mmssl.engine.run_parts import plain_model
from mmssl.models.layers.fold_norm import fold_norm
from mmssl.registry import HOOKS


@HOOKS.register_module()
class FoldNormHook(Hook):
    """Run the test loop with a copy of the model whose batch norms are folded; the model itself is untouched.

    Predictions stay equal within rounding. Validation during training uses the model as it is.
    """

    def __init__(self):
        self._model = None

    def before_test(self, runner) -> None:
        """Put the folded copy in the model's place."""
        self._model = runner.model
        runner.model = fold_norm(plain_model(runner))

    def after_test(self, runner) -> None:
        """Put the model back."""
        runner.model = self._model
