from typing import Any, Dict, Optional

from mmengine.dist import gather_object, get_rank
from mmengine.hooks import Hook
from mmengine.model import BaseAveragedModel
from mmengine.optim import OptimWrapperDict
from torch import nn

from mmregioncl.engine.storage import saved_state, writes_after_iter
from mmregioncl.models.utils.modules import unwrap
from mmregioncl.models.utils.weights import same_form
from mmregioncl.registry import HOOKS


@HOOKS.register_module()
class AccumulationHook(Hook):
    """Update key encoders and queues once per optimizer step.

    With ``accumulative_counts=K`` in the optimizer wrapper, K batches make one
    update of the weights. The hook tells the model, which then updates its
    averages once per update and enqueues the keys of K batches at once.
    Without it, averages would change K times per update, and the batches of an
    update would get each other's keys as negatives.

    A checkpoint in the middle of an update holds its gradients and keys, so a
    resumed run is bit-identical to an uninterrupted one.

    Moving averages of the host's models are updated once per update as well.
    Their queues cannot wait, so MoCo and DenseCL are not changed, with a
    warning.
    """

    def __init__(self) -> None:
        self.unfinished: Optional[dict] = None  # update, to be saved

    def after_load_checkpoint(self, runner, checkpoint: dict) -> None:
        """Read an unfinished update if the run is resumed.

        Raises:
            ValueError: If it is damaged.
        """
        self.unfinished = saved_state(
            runner, checkpoint, 'unfinished',
            lambda state: is_update(state, unwrap(runner.model)))
        if self.unfinished is not None:  # MMEngine warns that it is lost
            runner.logger.addFilter(lambda record: not record.getMessage().
                                    startswith('Resumed iteration number'))

    def before_save_checkpoint(self, runner, checkpoint: dict) -> None:
        """Save an unfinished update."""
        if self.unfinished is not None:
            checkpoint['unfinished'] = self.unfinished

    def after_train_iter(self, runner, *args, **kwargs) -> None:
        """Collect an unfinished update for checkpoints by iterations."""
        if writes_after_iter(runner):
            self.collect(runner, runner.iter + 1)

    def after_train_epoch(self, runner) -> None:
        """Collect an unfinished update for checkpoints by epochs."""
        self.collect(runner, runner.iter)

    def collect(self, runner, step: int) -> None:
        """Collect an unfinished update after a step from all processes."""
        counts = getattr(runner.optim_wrapper, '_accumulative_counts', 1)
        if step % counts:
            processes = gather_object(waiting(unwrap(runner.model)))
            self.unfinished = dict(
                iter=step, counts=counts, processes=processes)

    def before_train_iter(self, runner, *args, **kwargs) -> None:
        """Drop the saved update, since training continues."""
        self.unfinished = None

    def restore(self, runner) -> None:
        """Restore the saved gradients and keys of the model."""
        saved = self.unfinished
        now = (runner.iter, runner.optim_wrapper._accumulative_counts,
               runner.world_size)
        if now != (saved['iter'], saved['counts'], len(saved['processes'])):
            runner.logger.warning(
                'the checkpoint was written in the middle of an update, with '
                'another batch or number of processes: its gradients are lost')
            return
        mine = saved['processes'][get_rank()]
        model = unwrap(runner.model)
        for name, weight in model.named_parameters():
            if name in mine['gradients']:
                weight.grad = mine['gradients'][name].to(weight)
        device = next(model.parameters()).device
        for name, keys in mine['keys'].items():
            model.waiting_keys[name] = [key.to(device) for key in keys]

    def before_train(self, runner) -> None:
        """Tell the model how many batches make an update."""
        if self.unfinished is not None:
            self.restore(runner)
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
                    # Loaded averages may have counted other batches
                    module.steps += (runner.iter - module.steps) % counts


def is_update(state: Any, model: nn.Module) -> bool:
    """Whether a saved update fits a model and is not damaged."""
    weights = dict(model.named_parameters())
    try:
        wanted = [
            dict(
                gradients={name: weights[name]
                           for name in part['gradients']},
                keys={
                    name: [getattr(model, name).T[:len(key)] for key in keys]
                    for name, keys in part['keys'].items()
                    if hasattr(model, 'waiting_keys')
                }) for part in state['processes']
        ]
        return bool(wanted) and same_form(
            state, dict(iter=0, counts=0, processes=wanted))
    except (AttributeError, KeyError, TypeError):
        return False


def waiting(model: nn.Module) -> Dict[str, dict]:
    """Gradients and keys of this process in an unfinished update."""
    gradients = {
        name: weight.grad.cpu()
        for name, weight in model.named_parameters() if weight.grad is not None
    }
    keys = getattr(model, 'waiting_keys', {})
    return dict(
        gradients=gradients,
        keys={name: [key.cpu() for key in keys[name]]
              for name in keys})
