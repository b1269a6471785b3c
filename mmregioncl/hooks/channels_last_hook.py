import torch
from mmengine.hooks import Hook
from mmengine.model import MMDistributedDataParallel
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from mmregioncl.engine.switches import channels_last_gains_nothing
from mmregioncl.models.utils.modules import unwrap
from mmregioncl.registry import HOOKS


@HOOKS.register_module()
class ChannelsLastHook(Hook):
    """Store convolution weights, and so feature maps, in channels-last order.

    This is the fastest layout for tensor cores and oneDNN. Shapes, values and
    the keys of checkpoints do not change. With several processes the model is
    wrapped again.
    """

    def before_train(self, runner) -> None:
        """Change the layout once the weights are initialized.

        Raises:
            ValueError: If the model is wrapped in anything but
                DistributedDataParallel, or MMEngine compiled the wrapper.
        """
        wrapper, model = runner.model, unwrap(runner.model)
        device = next(model.parameters()).device.type
        why = channels_last_gains_nothing(device, model)
        if why:
            runner.logger.warning(f'ChannelsLastHook has no benefit, because '
                                  f'{why}: leave it out')
        if wrapper is not model:
            check_wrapper(wrapper)
        model.to(memory_format=torch.channels_last)
        if wrapper is not model:
            # DDP fixes the layout of its buckets when it is built, and would
            # now mix up the elements of gradients.
            runner.model = runner.wrap_model(
                runner.cfg.get('model_wrapper_cfg'), model)


def check_wrapper(wrapper: nn.Module) -> None:
    """Check that a wrapper can be built again.

    Raises:
        ValueError: If it is not DistributedDataParallel, or is compiled.
    """
    if type(wrapper) not in (DistributedDataParallel,
                             MMDistributedDataParallel):
        raise ValueError(
            'ChannelsLastHook cannot change the layout of weights within '
            f'{type(wrapper).__name__}: leave the hook out')
    if 'train_step' in vars(wrapper):  # by MMEngine
        raise ValueError('ChannelsLastHook wraps the model again, which '
                         'compile=True does not allow: use '
                         'mmregioncl.CompileHook')
