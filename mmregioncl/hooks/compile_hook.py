from typing import Optional, Sequence

import torch
from mmengine.hooks import Hook

from mmregioncl.engine.checks.settings import refuse_unknown
from mmregioncl.engine.switches import cannot_compile
from mmregioncl.models.utils.modules import get_module, unwrap
from mmregioncl.registry import HOOKS
from mmregioncl.validation import arguments_of, listed

# The backbone and its moving averages in MoCo, BYOL and MoCo v3
BACKBONES = ('backbone', 'encoder_k.module.0', 'target_net.module.0',
             'momentum_encoder.module.0')
# Arguments of torch.compile that a config can set
KNOWN = arguments_of(torch.compile) - {'model'}


@HOOKS.register_module()
class CompileHook(Hook):
    """Compile the query and key backbones with ``torch.compile``.

    Modules are compiled in place, so names, checkpoints and
    DistributedDataParallel do not change. Queues, moving averages and losses
    are not compiled. The first step takes a minute or more.

    Args:
        modules (Sequence[str], optional): Names of the modules to compile.
            Defaults to None, all backbones of the model.
        **kwargs: Arguments of ``torch.compile``, such as
            ``mode='max-autotune'``.

    Raises:
        ValueError: If ``torch.compile`` has no such argument.
    """

    def __init__(self,
                 modules: Optional[Sequence[str]] = None,
                 **kwargs) -> None:
        self.modules = None if modules is None else listed(modules)
        refuse_unknown('CompileHook', kwargs, KNOWN)
        self.kwargs = kwargs

    def before_train(self, runner) -> None:
        """Mark the modules; their first call compiles them.

        Raises:
            ValueError: If the model has no module of that name.
            RuntimeError: If there is no compiler.
        """
        device = next(runner.model.parameters()).device.type
        if self.kwargs.get('backend', 'inductor') == 'inductor':
            missing = cannot_compile(device)
            if missing:
                raise RuntimeError(
                    f'CompileHook needs {missing}, which was not found: '
                    'install it, or leave the hook out')
        names = self.modules
        if names is None:
            has = dict(unwrap(runner.model).named_modules())
            names = [name for name in BACKBONES if name in has]
        for name in names:
            get_module(runner.model, name).compile(**self.kwargs)
