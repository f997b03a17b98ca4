"""Give distribution alignment the shares of the classes in the labelled masks."""

from mmengine.hooks import Hook

from mmssl.datasets.class_frequencies import class_frequencies_on_all_ranks
from mmssl.engine.run_parts import main_dataset, main_model
from mmssl.errors import DataError
from mmssl.models.teachers.distribution_alignment import DistributionAlignment
from mmssl.registry import HOOKS


@HOOKS.register_module()
class ClassShareHook(Hook):
    """Count the labelled masks for a ``distribution_alignment`` with ``target='labeled'`` (S2, section 2.5.6).

    Rank 0 counts the pixels, once for a list of masks, as for ``ClassWeightHook``. Runs on resume too; the same masks
    give the same shares, and the running average stays that of the checkpoint.

    Args:
        cache_dir: folder for the counts; None counts at every start.

    Raises:
        DataError: the model has no such alignment.
        ValueError: the masks cannot be counted.
    """

    def __init__(self, *, cache_dir: str | None = 'work_dirs/class_frequencies'):
        self.cache_dir = cache_dir

    def before_train(self, runner) -> None:
        """Set the target on every rank and write it to the log."""
        alignments = [m for m in main_model(runner).modules() if isinstance(m, DistributionAlignment) and m.of_labeled]
        if not alignments:
            raise DataError("ClassShareHook: no distribution_alignment with target='labeled' in the model")
        dataset = main_dataset(runner)
        shares = class_frequencies_on_all_ranks(dataset, self.cache_dir)
        for alignment in alignments:
            alignment.set_target(shares)
        table = ', '.join(
            f'{name} {share:.2%}' for name, share in zip(dataset.metainfo['classes'], shares, strict=True)
        )
        runner.logger.info(f'Distribution alignment towards the labelled masks: {table}')
