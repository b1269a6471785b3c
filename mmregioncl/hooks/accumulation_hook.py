from mmengine.hooks import Hook
from mmengine.model import BaseAveragedModel
from mmengine.optim import OptimWrapperDict

from mmregioncl.models.utils.modules import unwrap
from mmregioncl.registry import HOOKS


@HOOKS.register_module()
class AccumulationHook(Hook):
    """Hold key encoders and queues still while gradients accumulate.

    With ``accumulative_counts=K`` in the optimizer wrapper, K batches make one
    update of the weights. The hook tells the model, which then moves its
    averages once per update and enqueues the keys of K batches at once.
    Without it, averages would follow with momentum**K, and the batches of one
    update would meet each other's keys as negatives.

    Averages of mmselfsup's models move once per update as well. Its queues
    cannot wait, so MoCo and DenseCL stay as they are, with a warning.
    """

    def before_train(self, runner) -> None:
        """Set the model's clock."""
        wrapper = runner.optim_wrapper
        if isinstance(wrapper, OptimWrapperDict):
            if any(part._accumulative_counts > 1 for part in wrapper.values()):
                runner.logger.warning(
                    'averages and queues move once per batch, since there are '
                    'several optimizers: remove their accumulative_counts')
            return
        counts = wrapper._accumulative_counts
        model = unwrap(runner.model)
        if hasattr(model, 'clock'):
            model.clock.start(runner.iter, counts)
        elif counts > 1 and hasattr(model, 'queue'):
            name = type(model).__name__
            runner.logger.warning(
                f'the queue and the key encoder of {name} move {counts} times '
                f'per update with accumulative_counts={counts}: to compare it '
                'with RegionCL, where they wait, set accumulative_counts=1')
        else:
            for module in model.modules():
                if isinstance(
                        module,
                        BaseAveragedModel) and (module.interval == 1 < counts):
                    module.interval = counts
                    # Loaded weights may have seen another number of batches
                    module.steps += (runner.iter - module.steps) % counts
