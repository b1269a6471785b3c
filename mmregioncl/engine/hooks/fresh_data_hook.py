from itertools import chain, repeat

from mmengine.dataset import InfiniteSampler
from mmengine.hooks import Hook
from mmengine.runner import IterBasedTrainLoop
from mmengine.runner.loops import _InfiniteDataloaderIterator

from mmregioncl.registry import HOOKS


@HOOKS.register_module()
class FreshDataHook(Hook):
    """Let a resumed run of iterations go on at once, with new data.

    MMEngine 0.10.7 loads and augments each batch again that was trained on
    before (mmengine#1520): hours for a detector. Here the sampler draws on
    from another seed instead.
    """

    def before_train_epoch(self, runner) -> None:
        """Give the loop nothing to skip, and then the new data."""
        loop = runner.train_loop
        if not isinstance(loop, IterBasedTrainLoop) or loop.iter == 0:
            return
        sampler = loop.dataloader.batch_sampler.sampler
        sampler.seed += loop.iter
        if isinstance(sampler, InfiniteSampler):
            # It made its indices from the old seed, and workers have begun on
            # them.
            sampler.indices = sampler._indices_of_rank()
        loop.dataloader_iterator = chain(
            repeat(None, loop.iter),
            _InfiniteDataloaderIterator(loop.dataloader))
