import math
from abc import ABC, abstractmethod
from contextlib import contextmanager
from typing import Any, Dict, Iterator, List, Optional, Tuple, Union

from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.hooks import EMAHook, Hook
from mmengine.registry import DATASETS
from mmengine.runner import IterBasedTrainLoop
from torch import Tensor, nn

from mmregioncl.engine.config import check_data
from mmregioncl.engine.messages.summary import every
from mmregioncl.engine.metrics import note_metrics, publish_metrics
from mmregioncl.evaluation import eval_dataset, read_labels
from mmregioncl.evaluation.frozen import frozen_evaluation
from mmregioncl.models.utils.modules import unwrap
from mmregioncl.validation import check_whole_number

SHARE = 0.03  # of the training between two evaluations
OFF = -1  # as MMEngine's intervals


class EvaluationHook(Hook, ABC):
    """Evaluate the model every few epochs, and after the last one.

    Subclasses implement :meth:`evaluate`, :meth:`metric_names` and
    :meth:`passes`, its cost. Hooks that use the metrics of a validation loop
    get these metrics, too.

    Args:
        interval (int, optional): Epochs between two evaluations. None chooses
            the smallest number at which an evaluation costs at most 3 % of the
            training since the last one, counted in forward passes of the
            backbone. A backward pass counts as two. -1 switches the hook off.
        batch_size (int): Images per batch of an evaluation on each rank.
        num_workers (int, optional): Workers that load them. None uses as
            many as in training.
    """
    priority = 'LOW'  # before the checkpoint of the same epoch is written

    def __init__(self, interval: Optional[int], batch_size: int,
                 num_workers: Optional[int]) -> None:
        owner = type(self).__name__
        self.interval = interval if interval == OFF else check_whole_number(
            'interval', interval, owner, optional=True)
        self.batch_size = check_whole_number('batch_size', batch_size, owner)
        self.num_workers = check_whole_number(
            'num_workers', num_workers, owner, low=0, optional=True)
        self.evaluated: Dict[str, BaseDataset] = {}  # by setting

    def before_run(self, runner) -> None:
        """Prepare for training, or leave the run if switched off."""
        if self.interval == OFF:
            runner._hooks = [part for part in runner.hooks if part is not self]
        elif not isinstance(runner._train_loop, (dict, type(None))):
            self.prepare(runner)  # this run trains

    def prepare(self, runner) -> None:
        """Warn if the loop has no epochs."""
        if isinstance(runner._train_loop, IterBasedTrainLoop):
            runner.logger.warning(
                f'{type(self).__name__} evaluates after epochs, but an '
                'IterBasedTrainLoop is a single epoch: it runs only at the end'
            )

    def after_train_epoch(self, runner) -> None:
        """Evaluate when it is time."""
        if self.interval is None:
            self.interval = self.epochs_between(runner)
            runner.logger.info(f'{type(self).__name__} evaluates '
                               f'{every(self.interval, "epoch")} and after '
                               'the last')
        if self.every_n_epochs(runner, self.interval) or \
                self.is_last_train_epoch(runner):
            scalars = self.evaluate(runner)
            if scalars:
                runner.visualizer.add_scalars(scalars, step=runner.iter)
            note_metrics(runner, scalars)

    def epochs_between(self, runner) -> int:
        """Epochs between two evaluations, set or chosen."""
        return self.interval or max(
            1, math.ceil(self.passes(runner) / (SHARE * epoch_passes(runner))))

    def before_train_epoch(self, runner) -> None:
        """Publish the metrics of the last epoch if the loop has not."""
        publish_metrics(runner)

    def after_train(self, runner) -> None:
        """Publish the metrics of the last epoch."""
        publish_metrics(runner)

    def labelled(self, runner, split: str,
                 given: Union[dict, str, None]) -> Tuple[BaseDataset, Tensor]:
        """Build a labeled data set, and read its labels.

        Args:
            runner (Runner): The run.
            split (str): 'train' or 'test'.
            given (dict or str, optional): See :func:`eval_dataset`.

        Raises:
            FileNotFoundError: If a folder or a list of images is missing.
            ValueError: If no data set is given, or it has no labels.
        """
        owner = 'eval_datasets' if given is None else type(self).__name__
        cfg = eval_dataset(runner.cfg, split, given, owner)
        check_data(Config({owner: {split: cfg}}), owner)
        dataset = DATASETS.build(cfg)
        self.evaluated[f'{owner}.{split}'] = dataset
        return dataset, read_labels(dataset, single=True)

    @contextmanager
    def frozen(self, runner) -> Iterator[nn.Module]:
        """Yield the model to evaluate, with the weights of checkpoints.

        With an ``EMAHook`` these are the averaged weights.
        """
        averages = [hook for hook in runner.hooks if isinstance(hook, EMAHook)]
        for hook in averages:
            hook.before_val_epoch(runner)
        try:
            with frozen_evaluation(runner.model) as model:
                yield model
        finally:
            for hook in averages:
                hook.after_val_epoch(runner)

    @abstractmethod
    def evaluate(self, runner) -> Dict[str, float]:
        """Evaluate the model, log the result, and return the metrics."""

    @abstractmethod
    def metric_names(self, runner) -> List[str]:
        """Names of the metrics."""

    @abstractmethod
    def passes(self, runner) -> int:
        """Forward passes of the backbone in one evaluation."""


def epoch_passes(runner) -> int:
    """Passes through the backbone in an epoch; a backward pass is two."""
    # By default one view, forward and backward
    per_image = getattr(unwrap(runner.model), 'passes_per_image', 3)
    return per_image * len(runner.train_dataloader.dataset)


def workers_of(runner, count: Optional[int]) -> Dict[str, Any]:
    """Worker arguments of an evaluation's loader; None is as in training."""
    loader = runner.train_dataloader
    return dict(
        num_workers=loader.num_workers if count is None else count,
        context=loader.multiprocessing_context)
