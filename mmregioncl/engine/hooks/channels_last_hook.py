import torch
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from torch.nn.parallel import DistributedDataParallel

from mmregioncl.registry import HOOKS
from ..modules import unwrap


@HOOKS.register_module()
class ChannelsLastHook(Hook):
    """Hold the weights of convolutions, and so their maps, channels last.

    The layout that tensor cores and oneDNN are fastest in. Shapes, values and
    the keys of checkpoints stay as they are.
    """

    def before_train(self, runner) -> None:
        """After the weights were drawn, which goes by their layout.

        Raises:
            ValueError: If the model is wrapped in something other than
                DistributedDataParallel.
        """
        wrapper, model = runner.model, unwrap(runner.model)
        model.to(memory_format=torch.channels_last)
        if not is_model_wrapper(wrapper):
            return
        if not isinstance(wrapper, DistributedDataParallel):
            raise ValueError(
                'ChannelsLastHook cannot change the layout of weights within '
                f'{type(wrapper).__name__}: leave the hook out')
        # Its buckets know gradients by the strides that weights had, and would
        # mix up their elements.
        runner.model = runner.wrap_model(
            runner.cfg.get('model_wrapper_cfg'), model)
