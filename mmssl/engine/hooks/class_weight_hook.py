"""Give losses their class weights before training."""

from mmengine.hooks import Hook

from mmssl.datasets.class_frequencies import class_frequencies_on_all_ranks
from mmssl.engine.run_parts import main_dataset, main_model
from mmssl.models.losses.class_weights import enet_class_weights
from mmssl.models.losses.weighted_cross_entropy import WeightedCrossEntropyLoss
from mmssl.registry import HOOKS


@HOOKS.register_module()
class ClassWeightHook(Hook):
    """Compute ENet class weights from the training masks for each loss that asks for them.

    Source: S0, section 4.2.1, equation 4.1. Rank 0 counts the pixels, once for a list of masks: the counts are kept
    in ``cache_dir`` beside a fingerprint of the list. Runs on resume too; the same masks give the same weights.

    Args:
        c: the bound of equation 4.1.
        cache_dir: folder for the counts; None counts at every start.

    Raises:
        ValueError: when no loss of the model has ``class_weight='enet'``; when the masks cannot be counted.
    """

    def __init__(self, *, c: float = 1.02, cache_dir: str | None = 'work_dirs/class_frequencies'):
        self.c = c
        self.cache_dir = cache_dir

    def before_train(self, runner) -> None:
        """Set the weights on every rank and write them to the log."""
        losses = [
            m for m in main_model(runner).modules() if isinstance(m, WeightedCrossEntropyLoss) and m.scheme == 'enet'
        ]
        if not losses:
            raise ValueError("ClassWeightHook: no mmssl.WeightedCrossEntropyLoss with class_weight='enet' in the model")
        dataset = main_dataset(runner)
        weights = enet_class_weights(class_frequencies_on_all_ranks(dataset, self.cache_dir), self.c)
        for loss in losses:
            loss.set_class_weight(weights)
        table = ', '.join(
            f'{name} {weight:.2f}' for name, weight in zip(dataset.metainfo['classes'], weights, strict=True)
        )
        runner.logger.info(f'Class weights (equation 4.1, c={self.c}): {table}')
