from typing import Any, Dict, Optional

from mmengine.hooks import Hook
from mmengine.runner import IterBasedTrainLoop


class LookHook(Hook):
    """Look at the model every few epochs, and after the last.

    Subclasses say how in :meth:`look`.

    Args:
        interval (int): Epochs between two looks.
        batch_size (int): Of a look, on each rank.
        num_workers (int, optional): Of a look; None for as many as in
            training.
    """
    priority = 'LOW'  # before the checkpoint of the same epoch is written

    def __init__(self, interval: int, batch_size: int,
                 num_workers: Optional[int]) -> None:
        for name, value in dict(
                interval=interval, batch_size=batch_size).items():
            if value != int(value) or value < 1:
                raise ValueError(f'{name}={value} of {type(self).__name__} '
                                 'has to be a whole number from 1 on')
        self.interval = interval
        self.batch_size = batch_size
        self.num_workers = num_workers

    def before_run(self, runner) -> None:
        """Tell that a loop without epochs has only an end."""
        if isinstance(runner._train_loop, IterBasedTrainLoop):
            runner.logger.warning(
                f'{type(self).__name__} looks after epochs, of which an '
                'IterBasedTrainLoop has one: it will look at the end alone')

    def after_train_epoch(self, runner) -> None:
        """Look, when it is time."""
        if self.every_n_epochs(runner, self.interval) or \
                self.is_last_train_epoch(runner):
            self.look(runner)

    def look(self, runner) -> None:
        raise NotImplementedError

    def workers(self, runner) -> Dict[str, Any]:
        """Arguments of a loader: how many workers, and how they start."""
        loader = runner.train_dataloader
        count = self.num_workers
        if count is None:
            count = loader.num_workers
        return dict(num_workers=count, context=loader.multiprocessing_context)
