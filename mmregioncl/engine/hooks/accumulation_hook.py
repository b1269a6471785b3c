from mmengine.hooks import Hook
from mmengine.model import BaseAveragedModel
from mmengine.optim import OptimWrapperDict

from mmregioncl.registry import HOOKS
from ..modules import unwrap


@HOOKS.register_module()
class AccumulationHook(Hook):
    """Hold key encoders and queues still while gradients accumulate.

    With ``accumulative_counts=K`` of the optimiser, moving averages take one
    step for K batches, as its weights do, and a queue takes the keys of K
    batches at once. Otherwise averages would follow with momentum**K, and
    the batches of one update would meet each other's keys as negatives.
    Models of mmselfsup with a queue cannot hold it, and stay as they are.
    """

    def before_train(self, runner) -> None:
        """Tell the parts of the model, in step with the optimiser."""
        wrapper = runner.optim_wrapper
        if isinstance(wrapper, OptimWrapperDict):
            if any(part._accumulative_counts > 1 for part in wrapper.values()):
                runner.logger.warning(
                    'averages and queues move once a batch, as there are '
                    'several optimisers: leave accumulative_counts of theirs')
            return
        counts = wrapper._accumulative_counts
        model = unwrap(runner.model)
        holds = hasattr(model, 'batches_to_enqueue')
        if counts == 1:
            return
        if hasattr(model, 'queue') and not holds:
            runner.logger.warning(
                f'the queue and the key encoder of {type(model).__name__} move'
                f' {counts} times an update, with accumulative_counts={counts}'
                ': those of RegionCL wait for it, so that the two compare '
                'with accumulative_counts=1')
            return
        if holds:
            model.batches_to_enqueue = counts
        for module in model.modules():
            if isinstance(module, BaseAveragedModel) and module.interval == 1:
                module.interval = counts
                # Of weights that were loaded, another number of batches
                module.steps += (runner.iter - module.steps) % counts
                module.count = None  # ForeachEMA's, to be read anew
