from contextlib import contextmanager, nullcontext
from functools import wraps
from typing import Callable, Iterator, Sequence

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from mmregioncl.registry import HOOKS


@contextmanager
def frozen_statistics(module: nn.Module) -> Iterator[None]:
    """Leave running statistics of batch norm as they are.

    Images are still normalised by the statistics of their own batch.
    """
    kept = [(norm, norm.momentum, norm.num_batches_tracked.clone())
            for norm in module.modules()
            if isinstance(norm, _BatchNorm) and norm.track_running_stats]
    for norm, _, _ in kept:
        norm.momentum = 0.
    try:
        yield
    finally:
        for norm, momentum, count in kept:
            norm.momentum = momentum
            norm.num_batches_tracked.copy_(count)


def recompute_backward(module: nn.Module) -> Callable:
    """A forward of the module that keeps nothing but what goes in.

    Its backward pass computes the rest anew, without a second update of the
    running statistics, which ``with_cp`` of mmcls's ResNet and MMEngine's
    ``activation_checkpointing`` make.
    """
    forward = module.forward

    def contexts() -> tuple:
        return nullcontext(), frozen_statistics(module)

    @wraps(forward)
    def wrapper(*args, **kwargs):
        return checkpoint(
            forward, *args, use_reentrant=False, context_fn=contexts, **kwargs)

    return wrapper


@HOOKS.register_module()
class GradientCheckpointHook(Hook):
    """Spend a forward pass more to keep a fraction of the feature maps.

    Gradients, running statistics and the keys of checkpoints are those of a
    run without it.

    Args:
        modules (Sequence[str]): Each child of these is kept by its input
            alone. Defaults to the four stages of a ResNet.
    """

    def __init__(
        self,
        modules: Sequence[str] = ('backbone.layer1', 'backbone.layer2',
                                  'backbone.layer3', 'backbone.layer4')
    ) -> None:
        self.modules = modules

    def before_train(self, runner) -> None:
        """Wrap the forward of the blocks.

        Raises:
            ValueError: If the model lacks a module.
        """
        model = runner.model
        model = model.module if is_model_wrapper(model) else model
        for name in self.modules:
            try:
                stage = model.get_submodule(name)
            except AttributeError as error:
                raise ValueError(
                    f'GradientCheckpointHook finds no {name} in the '
                    f'{type(model).__name__}: set modules to names of '
                    'model.named_modules()') from error
            for block in stage.children():
                block.forward = recompute_backward(block)
