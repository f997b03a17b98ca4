"""Validation of two networks on the same batches."""

import copy

import torch
from mmengine.runner import ValLoop
from mmengine.runner.amp import autocast

from mmssl.engine.run_parts import main_model
from mmssl.registry import LOOPS

NETWORKS = ('student', 'teacher')


@LOOPS.register_module()
class StudentTeacherValLoop(ValLoop):
    """Evaluate student and teacher at every validation, in one pass over the data.

    Metrics are named ``student/mIoU`` and ``teacher/mIoU``; those of the network that the model's ``predict_on`` names
    are there without a prefix too, for ``save_best`` and the curves. During the burn-in there is a student only,
    so that ``save_best='teacher/mIoU'`` finds no number then; the names without a prefix are always there.

    mmdet's ``TeacherStudentValLoop`` loads the data once for each network.

    Args:
        runner: the runner.
        dataloader: of the validation images, or its config.
        evaluator: or its config; each network has a copy of its own.
        fp16: whether to run in half precision.
    """

    def __init__(self, runner, dataloader, evaluator, fp16: bool = False):
        super().__init__(runner, dataloader, evaluator, fp16)
        # The metrics of the two must not share what they have counted.
        self.evaluators = {'student': self.evaluator, 'teacher': copy.deepcopy(self.evaluator)}

    def run(self) -> dict:
        """Validate; returns the metrics."""
        self.runner.call_hook('before_val')
        self.runner.call_hook('before_val_epoch')
        self.runner.model.eval()
        model = main_model(self.runner)
        # Until the end of the burn-in the teacher has made no step, also where a checkpoint tells so and not the loop.
        networks = NETWORKS if not model.burn_in or model.teacher.num_steps else ('student',)
        chosen = model.predict_on if model.predict_on in networks else 'student'
        for index, data_batch in enumerate(self.dataloader):
            self._run_iter(index, data_batch, model, networks, chosen)
        found = {}
        for name in networks:
            self.runner.logger.info(f'Validation of the {name}:')  # above the table of its classes
            found[name] = self.evaluators[name].evaluate(len(self.dataloader.dataset))
        metrics = dict(found[chosen])  # first, for save_best='auto'
        metrics.update({f'{name}/{key}': value for name in networks for key, value in found[name].items()})
        self.runner.call_hook('after_val_epoch', metrics=metrics)
        self.runner.call_hook('after_val')
        return metrics

    @torch.no_grad()
    def _run_iter(self, index: int, data_batch: dict, model, networks: tuple[str, ...], chosen: str) -> None:
        self.runner.call_hook('before_val_iter', batch_idx=index, data_batch=data_batch)
        outputs = {}
        asked = model.predict_on
        try:
            for name in networks:
                model.predict_on = name
                with autocast(enabled=self.fp16):
                    # Samples are written to: each network gets its own.
                    samples = copy.deepcopy(data_batch['data_samples'])
                    outputs[name] = self.runner.model.val_step({**data_batch, 'data_samples': samples})
                self.evaluators[name].process(data_samples=outputs[name], data_batch=data_batch)
        finally:
            model.predict_on = asked
        self.runner.call_hook('after_val_iter', batch_idx=index, data_batch=data_batch, outputs=outputs[chosen])
