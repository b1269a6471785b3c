from itertools import chain, repeat

from mmengine.dataset import InfiniteSampler
from mmengine.hooks import Hook
from mmengine.runner import IterBasedTrainLoop
from mmengine.runner.loops import _InfiniteDataloaderIterator

from mmregioncl.engine.loops import SeededIterTrainLoop
from mmregioncl.registry import HOOKS


@HOOKS.register_module()
class FreshDataHook(Hook):
    """Resume an iteration-based run without delay, with new data.

    MMEngine 0.10.7 first loads and augments all batches that were trained on
    before (mmengine#1520), which takes hours for a detector. This hook lets
    the sampler continue with another seed instead. It does nothing in a
    ``mmregioncl.SeededIterTrainLoop``, which continues with the next
    batch, and nothing if there is no sampler with a seed.
    """

    def before_train_epoch(self, runner) -> None:
        """Skip batches without loading them, then load new data."""
        loop = runner.train_loop
        sampler = getattr(loop.dataloader.batch_sampler, 'sampler', None)
        if not isinstance(loop, IterBasedTrainLoop) or loop.iter == 0 or \
                isinstance(loop, SeededIterTrainLoop) or \
                not hasattr(sampler, 'seed'):
            return
        sampler.seed += loop.iter
        if isinstance(sampler, InfiniteSampler):
            # Its indices were drawn from the old seed.
            sampler.indices = sampler._indices_of_rank()
        loop.dataloader_iterator = chain(
            repeat(None, loop.iter),
            _InfiniteDataloaderIterator(loop.dataloader))
