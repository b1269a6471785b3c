from typing import Dict, List, Optional, Sequence, Tuple, Union

import torch
from mmengine.dist import all_gather
from torch import Tensor
from torch.nn import functional as F

from mmregioncl.evaluation import (accuracy, check_finite, check_same_classes,
                                   extract_rows, fitting_neighbours,
                                   gather_rows, keep_best, knn_votes, nearest,
                                   rank_batches, rows_of, warn_of_one_class)
from mmregioncl.registry import HOOKS
from mmregioncl.validation import check_number, check_whole_number, listed
from .evaluation_hook import EvaluationHook, workers_of


@HOOKS.register_module()
class OnlineKNNHook(EvaluationHook):
    """Measure the k-NN accuracy of the backbone during training.

    Neighbors are found by cosine similarity of the averaged last feature map,
    and vote with exp(similarity / T). Training is unaffected: weights and
    random state are unchanged. Each rank has a share of the train features;
    the result does not depend on the number of processes.

    Args:
        train (dict or str, optional): Labeled data set, or a folder with one
            folder for each class. Defaults to None, ``eval_datasets.train`` of
            the config.
        test (dict or str, optional): The same for testing.
        interval (int, optional): Epochs between two evaluations; the last
            epoch is always evaluated. Defaults to None, the smallest number
            that keeps an evaluation below 3 % of the training in between.
        k (int or Sequence[int]): Numbers of neighbors. Those above the number
            of train images are left out. Defaults to (20, 200).
        temperature (float or Sequence[float]): Temperatures T. Defaults to
            (0.1, 0.07).
        batch_size (int): Images per batch on each rank. Defaults to 128.
        num_workers (int, optional): Defaults to None, as many as in training.
    """

    def __init__(self,
                 train: Union[dict, str, None] = None,
                 test: Union[dict, str, None] = None,
                 interval: Optional[int] = None,
                 k: Union[int, Sequence[int]] = (20, 200),
                 temperature: Union[float, Sequence[float]] = (0.1, 0.07),
                 batch_size: int = 128,
                 num_workers: Optional[int] = None) -> None:
        super().__init__(interval, batch_size, num_workers)
        self.train, self.test = train, test
        owner = type(self).__name__
        self.k = [check_whole_number('k', one, owner) for one in listed(k)]
        self.temperature = [
            check_number('temperature', one, owner, positive=True)
            for one in listed(temperature)
        ]
        if not (self.k and self.temperature):
            raise ValueError(f'k={k} and temperature={temperature} of {owner} '
                             'need a value each')

    def before_train(self, runner) -> None:
        """Build the data sets, so that errors come before training.

        Raises:
            FileNotFoundError: If a folder or a list of images is missing.
            ValueError: If no data set is given, if the train set has fewer
                images than every k, or if their classes differ.
        """
        self.train_set, self.train_labels = self.labelled(
            runner, 'train', self.train)
        self.test_set, self.test_labels = self.labelled(
            runner, 'test', self.test)
        check_same_classes(self.train_set, self.test_set)
        warn_of_one_class(self.train_labels, 'k-NN')
        self.k = fitting_neighbours(self.k, len(self.train_set),
                                    type(self).__name__)

    def passes(self, runner) -> int:
        """Images of both sets."""
        return len(self.train_set) + len(self.test_set)

    def metric_names(self, runner) -> List[str]:
        """One metric for each k and temperature."""
        return [self.name(k, t) for k in self.k for t in self.temperature]

    @staticmethod
    def name(k: int, temperature: float) -> str:
        """Name of a metric."""
        return f'knn/k{k}_T{temperature}'

    def evaluate(self, runner) -> Dict[str, float]:
        """Classify with each k and temperature, and log the accuracies."""
        classes = int(self.train_labels.max()) + 1
        votes = knn_votes(*self.find_neighbours(runner), self.k,
                          self.temperature, classes)
        scores = {
            setting: accuracy(found.cpu(), self.test_labels)
            for setting, found in votes.items()
        }
        text = ', '.join(f'{score:.4f} (k={k}, T={t})'
                         for (k, t), score in scores.items())
        runner.logger.info(f'k-NN after epoch {runner.epoch + 1}: {text}')
        return {
            self.name(*setting): score
            for setting, score in scores.items()
        }

    def find_neighbours(self, runner) -> Tuple[Tensor, Tensor]:
        """Similarities and labels of the nearest train images, (M, k) each."""
        shares = [
            rank_batches(len(part), self.batch_size)
            for part in (self.train_set, self.test_set)
        ]
        with self.frozen(runner) as model:
            train, test = (check_finite(
                extract_rows(model, part, share,
                             **workers_of(runner, self.num_workers)))
                           for part, share in zip((self.train_set,
                                                   self.test_set), shares))
            device = next(model.parameters()).device
        test = gather_rows(test, shares[1], len(self.test_set))

        most = max(self.k)
        mine = self.train_labels[rows_of(shares[0])]
        best, found = nearest(train, mine, test.to(device), most)
        missing = (0, most - best.shape[1])  # a small share has fewer
        best = F.pad(best, missing, value=-torch.inf)
        found = F.pad(found, missing)
        return keep_best(most, all_gather(best), all_gather(found))
