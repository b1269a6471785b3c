from typing import Optional, Sequence

from mmengine.hooks import Hook

from mmregioncl.registry import HOOKS
from ..modules import get_module, names_of, unwrap

# The backbone, and those of MoCo's key encoder and of BYOL's target network
BACKBONES = ('backbone', 'encoder_k.module.0', 'target_net.module.0')


@HOOKS.register_module()
class CompileHook(Hook):
    """Compile the backbones, of queries and keys, by ``torch.compile``.

    In place, so that names, checkpoints and DistributedDataParallel stay as
    they are. Queues, moving averages and losses stay out. The first step
    takes minutes longer.

    Args:
        modules (Sequence[str], optional): Names of the modules. Defaults to
            None, all backbones that the model has.
        **kwargs: Arguments of ``torch.compile``, such as
            ``mode='max-autotune'``.
    """

    def __init__(self,
                 modules: Optional[Sequence[str]] = None,
                 **kwargs) -> None:
        self.modules = None if modules is None else names_of(modules)
        self.kwargs = kwargs

    def before_train(self, runner) -> None:
        """Mark the modules; their first call compiles them.

        Raises:
            ValueError: If the model lacks one that was named.
        """
        names = self.modules
        if names is None:
            has = dict(unwrap(runner.model).named_modules())
            names = [name for name in BACKBONES if name in has]
        for name in names:
            get_module(runner.model, name).compile(**self.kwargs)
