from contextlib import contextmanager, nullcontext
from functools import partial
from types import MethodType
from typing import Iterator, Sequence

import torch
from mmengine.hooks import Hook
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from mmregioncl.registry import HOOKS
from ..modules import get_module, names_of


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


@torch.compiler.disable  # it cannot trace what leaves statistics alone
def recomputed_forward(module: nn.Module, *args, **kwargs):
    """A forward pass of which nothing is kept but what goes in.

    The backward pass computes the rest anew, without a second update of the
    running statistics, which ``with_cp`` of mmcls's ResNet and MMEngine's
    ``activation_checkpointing`` make.
    """

    def contexts() -> tuple:
        return nullcontext(), frozen_statistics(module)

    return checkpoint(
        partial(type(module).forward, module),
        *args,
        use_reentrant=False,
        context_fn=contexts,
        **kwargs)


@HOOKS.register_module()
class GradientCheckpointHook(Hook):
    """Spend a forward pass more to keep a fraction of the feature maps.

    Gradients, running statistics and the keys of checkpoints are those of a
    run without it. CompileHook leaves these blocks out.

    Args:
        modules (Sequence[str]): Each child of these is kept by its input
            alone. Defaults to the four stages of a ResNet.
    """

    def __init__(
        self,
        modules: Sequence[str] = ('backbone.layer1', 'backbone.layer2',
                                  'backbone.layer3', 'backbone.layer4')
    ) -> None:
        self.modules = names_of(modules)

    def before_train(self, runner) -> None:
        """Wrap the forward of the blocks.

        Raises:
            ValueError: If the model lacks a module.
        """
        for name in self.modules:
            # Bound methods, so that copies have their own
            for block in get_module(runner.model, name).children():
                block.forward = MethodType(recomputed_forward, block)
