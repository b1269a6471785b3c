import torch
from mmengine.hooks import Hook
from mmengine.model import MMDistributedDataParallel, is_model_wrapper
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
        wrapped = is_model_wrapper(wrapper)
        if wrapped and type(wrapper) not in (DistributedDataParallel,
                                             MMDistributedDataParallel):
            raise ValueError(
                'ChannelsLastHook cannot change the layout of weights within '
                f'{type(wrapper).__name__}: leave the hook out')
        if wrapped and 'train_step' in vars(wrapper):
            raise ValueError('ChannelsLastHook wraps anew what compile=True '
                             'has compiled: take mmregioncl.CompileHook')
        model.to(memory_format=torch.channels_last)
        if wrapped:
            # Its buckets know gradients by the strides that weights had, and
            # would mix up their elements.
            runner.model = runner.wrap_model(
                runner.cfg.get('model_wrapper_cfg'), model)
