import torch
from mmengine.hooks import Hook
from mmengine.model import MMDistributedDataParallel
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from mmregioncl.registry import HOOKS
from ..modules import unwrap


@HOOKS.register_module()
class ChannelsLastHook(Hook):
    """Hold the weights of convolutions, and so their maps, channels last.

    The layout that tensor cores and oneDNN are fastest in. Shapes, values and
    the keys of checkpoints stay as they are. On several processes the model is
    wrapped anew.
    """

    def before_train(self, runner) -> None:
        """After the weights were drawn, which goes by their layout.

        Raises:
            ValueError: If the model is in a wrapper other than
                DistributedDataParallel, or MMEngine compiled that.
        """
        wrapper, model = runner.model, unwrap(runner.model)
        if wrapper is not model:
            check_wrapper(wrapper)
        model.to(memory_format=torch.channels_last)
        if wrapper is not model:
            # Its buckets know gradients by the strides that weights had, and
            # would mix up their elements.
            runner.model = runner.wrap_model(
                runner.cfg.get('model_wrapper_cfg'), model)


def check_wrapper(wrapper: nn.Module) -> None:
    """Refuse what cannot be made anew around its model.

    Raises:
        ValueError: If it is not DistributedDataParallel, or was compiled.
    """
    if type(wrapper) not in (DistributedDataParallel,
                             MMDistributedDataParallel):
        raise ValueError(
            'ChannelsLastHook cannot change the layout of weights within '
            f'{type(wrapper).__name__}: leave the hook out')
    if 'train_step' in vars(wrapper):  # by MMEngine
        raise ValueError('ChannelsLastHook wraps anew what compile=True has '
                         'compiled: take mmregioncl.CompileHook')
