import torch
from mmengine.hooks import Hook

from mmregioncl.registry import HOOKS


@HOOKS.register_module()
class ChannelsLastHook(Hook):
    """Hold the weights of convolutions, and so their maps, channels last.

    The layout that tensor cores and oneDNN are fastest in. Shapes, values and
    the keys of checkpoints stay as they are. DistributedDataParallel says once
    that strides of gradients and buckets differ, and then rebuilds these.
    """

    def before_train(self, runner) -> None:
        """After the weights were drawn, which goes by their layout."""
        runner.model.to(memory_format=torch.channels_last)
