import time
from typing import Optional

from mmengine.hooks import Hook

from mmregioncl.engine.checks import check_steps
from mmregioncl.engine.messages.summary import describe_run, end_of_run
from mmregioncl.registry import HOOKS
from mmregioncl.validation import check_whole_number


@HOOKS.register_module()
class RunSummaryHook(Hook):
    """Log what a run does, and when it will end.

    ``tools/train.py`` adds it to every run.

    Args:
        steps (int): Steps to estimate the end from. The first is slower and
            does not count. Defaults to 50.
    """
    priority = 'VERY_HIGH'  # the first line

    def __init__(self, steps: int = 50) -> None:
        self.steps = check_whole_number('steps', steps, type(self).__name__)
        self.done = 0
        self.start: Optional[float] = None

    def before_train(self, runner) -> None:
        """Log what the run does, unless it would do nothing."""
        check_steps(runner)
        runner.logger.info(describe_run(runner))

    def after_train_iter(self,
                         runner,
                         batch_idx: int,
                         data_batch=None,
                         outputs: Optional[dict] = None) -> None:
        """Log once when the run will end."""
        if self.done == 0:
            self.start = time.time()
        self.done += 1
        left = runner.max_iters - runner.iter - 1
        if self.done == self.steps + 1 and left > 0:
            mean = (time.time() - self.start) / self.steps
            runner.logger.info(
                f'{left} steps left at {mean:.2g} s each, until about '
                f'{end_of_run(mean, left)}')
