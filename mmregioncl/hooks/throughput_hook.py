import time
from collections import deque

from mmengine.hooks import Hook, IterTimerHook

from mmregioncl import host
from mmregioncl.datasets.nested import innermost
from mmregioncl.datasets.transforms import FAST, steps_of
from mmregioncl.engine.batches import count_images, images_per_batch
from mmregioncl.engine.launch import cores_per_process
from mmregioncl.registry import HOOKS


def draws_slowly(dataset) -> bool:
    """Whether ``mmregioncl.fast_transforms`` would replace a transform."""
    steps = [
        step for part in innermost(dataset)
        for step in steps_of(getattr(part, 'pipeline', None))
    ]
    return host.NAME == 'mmselfsup' and any(
        type(step).__name__ in FAST and type(step).__module__.startswith(
            ('mmselfsup.', 'mmcv.')) for step in steps)


class Mark(Hook):
    """Record when the last hook of an iteration ended.

    From then on the loop waits for data.
    """
    time = 0.

    def note(self, *args, **kwargs) -> None:
        """Record that waiting for the next batch begins."""
        self.time = time.time()

    before_train_epoch = after_train_iter = after_val_epoch = note


@HOOKS.register_module()
class ThroughputHook(IterTimerHook):
    """MMEngine's timer, which also logs throughput and waiting for data.

    It logs ``images_per_second`` of all processes, and ``data_wait``, the
    share of the time in which the process waits for the dataloader, over the
    last 50 iterations. (``data_time`` of MMEngine also includes hooks that run
    after the timer, such as saving and logging.) MMEngine reads every loss
    from the device, so a GPU waits as well. If the share exceeds
    `most_wait`, the hook warns once and names the settings to change.

    Args:
        most_wait (float): Share in [0, 1]. Defaults to 0.1.
        first_steps (int): Iterations before it warns. The first one, in which
            workers start, is not counted. Defaults to 100.
    """

    def __init__(self, most_wait: float = 0.1, first_steps: int = 100) -> None:
        super().__init__()
        if not 0 <= most_wait <= 1 or first_steps < 1:
            raise ValueError(
                f'ThroughputHook(most_wait={most_wait}, first_steps='
                f'{first_steps}) needs a share in [0, 1] and 1 or more steps')
        self.most_wait = most_wait
        self.first_steps = first_steps
        self.steps = -1
        self.waited = self.spent = 0.  # seconds of all steps
        self.warned = False
        self.wait = 0.
        self.last = deque(maxlen=50)  # wait, time and images of a step
        self.mark = Mark()

    def before_train(self, runner) -> None:
        """Register the hook that records the end of an iteration."""
        super().before_train(runner)
        runner.register_hook(self.mark, 'LOWEST')

    def _before_iter(self, *args, **kwargs) -> None:
        super()._before_iter(*args, **kwargs)
        self.wait = time.time() - self.mark.time

    def _after_iter(self,
                    runner,
                    batch_idx: int,
                    data_batch=None,
                    outputs=None,
                    mode: str = 'train') -> None:
        begun = self.t
        super()._after_iter(runner, batch_idx, data_batch, outputs, mode)
        spent = max(self.t - begun, 1e-9)
        if mode != 'train':
            return
        images = count_images(data_batch) or images_per_batch(
            runner.train_dataloader)
        self.last.append((self.wait, spent, runner.world_size * images))
        waited, spent, images = map(sum, zip(*self.last))
        hub = runner.message_hub
        hub.update_scalar('train/images_per_second', images / spent)
        hub.update_scalar('train/data_wait', waited / spent)
        self.judge(runner)

    def judge(self, runner) -> None:
        """Warn once if waiting takes too long."""
        self.steps += 1
        if self.warned or self.steps == 0:
            return
        self.waited += self.last[-1][0]
        self.spent += self.last[-1][1]
        share = self.waited / self.spent
        if self.steps < self.first_steps or share <= self.most_wait:
            return
        self.warned = True
        workers = runner.train_dataloader.num_workers
        cores = cores_per_process()
        advice = [
            'add mmregioncl.fast_transforms to the custom_imports'
            if draws_slowly(runner.train_dataloader.dataset) else '',
            f'raise train_dataloader.num_workers, {workers} now on {cores} '
            'processor cores per process' if workers < cores else '',
            'store smaller images on a faster disk'
        ]
        runner.logger.warning(
            f'waiting for data took {share:.0%} of the first {self.steps} '
            f'steps: {", or ".join(filter(None, advice))}')
