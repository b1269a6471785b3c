from mmengine.hooks import Hook
from mmengine.model import BaseAveragedModel
from mmengine.optim import OptimWrapperDict

from mmregioncl.registry import HOOKS


@HOOKS.register_module()
class AccumulationHook(Hook):
    """Hold key encoders and queues still while gradients accumulate.

    With ``accumulative_counts=K`` of the optimiser, moving averages take one
    step for K batches, as its weights do, and a queue takes the keys of K
    batches at once. Otherwise averages would follow with momentum**K, and
    the batches of one update would meet each other's keys as negatives.
    """

    def before_train(self, runner) -> None:
        """Tell the parts of the model."""
        wrapper = runner.optim_wrapper
        if isinstance(wrapper, OptimWrapperDict):
            return
        counts = wrapper._accumulative_counts
        for module in runner.model.modules():
            if isinstance(module, BaseAveragedModel) and module.interval == 1:
                module.interval = counts
            if hasattr(module, 'batches_to_enqueue'):
                module.batches_to_enqueue = counts
