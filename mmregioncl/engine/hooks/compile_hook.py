from operator import attrgetter
from typing import Sequence

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper

from mmregioncl.registry import HOOKS


@HOOKS.register_module()
class CompileHook(Hook):
    """Compile the backbones, of queries and keys, by ``torch.compile``.

    In place, so that names, checkpoints and DistributedDataParallel stay as
    they are. Only what is called as a whole is worth it; queues, moving
    averages and losses stay out. The first step takes a minute longer.

    Args:
        modules (Sequence[str]): Names of the modules, of which those that
            the model lacks are passed over. Defaults to the backbone, and the
            one in the key encoder of MoCo and the target network of BYOL.
        **kwargs: Arguments of ``torch.compile``, such as
            ``mode='max-autotune'``.
    """

    def __init__(self,
                 modules: Sequence[str] = ('backbone', 'encoder_k.module.0',
                                           'target_net.module.0'),
                 **kwargs) -> None:
        self.modules = modules
        self.kwargs = kwargs

    def before_train(self, runner) -> None:
        """Mark the modules; their first call compiles them.

        Raises:
            ValueError: If the model has none of them.
        """
        model = runner.model
        model = model.module if is_model_wrapper(model) else model
        found = []
        for name in self.modules:
            try:
                found.append(attrgetter(name)(model))
            except AttributeError:
                continue
        if not found:
            raise ValueError(
                f'CompileHook finds none of {", ".join(self.modules)} in the '
                f'{type(model).__name__}: set modules to names of '
                'model.named_modules()')
        for module in found:
            module.compile(**self.kwargs)
