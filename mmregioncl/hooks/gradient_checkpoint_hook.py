from contextlib import contextmanager, nullcontext
from functools import partial
from types import MethodType
from typing import Iterator, Sequence

import torch
from mmengine.hooks import Hook
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from mmregioncl.models.utils.modules import get_module
from mmregioncl.registry import HOOKS
from mmregioncl.validation import listed


@contextmanager
def frozen_statistics(module: nn.Module) -> Iterator[None]:
    """Keep the running statistics of batch norm unchanged.

    Images are still normalized by the statistics of their own batch.
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


@torch.compiler.disable  # it cannot trace frozen_statistics
def recomputed_forward(module: nn.Module, *args, **kwargs):
    """Forward pass that stores only its input.

    The backward pass recomputes the activations without updating running
    statistics again, unlike ``with_cp`` of mmcls's ResNet and
    ``activation_checkpointing`` of MMEngine.
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
    """Save memory by recomputing feature maps in the backward pass.

    It costs one more forward pass. Gradients, running statistics and the keys
    of checkpoints do not change. CompileHook does not compile these blocks.

    Args:
        modules (Sequence[str]): Names of modules whose children store only
            their inputs. Defaults to the four stages of a ResNet; the blocks
            of a vision transformer are in ('backbone.layers', ).
    """

    def __init__(
        self,
        modules: Sequence[str] = ('backbone.layer1', 'backbone.layer2',
                                  'backbone.layer3', 'backbone.layer4')
    ) -> None:
        self.modules = listed(modules)

    def before_train(self, runner) -> None:
        """Wrap the forward pass of the blocks.

        Raises:
            ValueError: If the model has no module of that name.
        """
        for name in self.modules:
            # Bound methods, so copies of the model get their own
            for block in get_module(runner.model, name).children():
                block.forward = MethodType(recomputed_forward, block)
