from typing import Optional, Sequence, Tuple, Union

import torch
from mmengine.dist import all_gather
from mmengine.registry import DATASETS
from torch import Tensor
from torch.nn import functional as F

from mmregioncl.evaluation import (check_finite, check_neighbours,
                                   check_same_classes, eval_dataset,
                                   extract_rows, gather_rows, keep_best,
                                   nearest, rank_batches, read_labels, rows_of,
                                   vote)
from mmregioncl.registry import HOOKS
from ..aside import aside
from .look_hook import LookHook


@HOOKS.register_module()
class OnlineKNNHook(LookHook):
    """K-NN accuracy of the backbone, while it trains.

    Cosine, with votes of exp(similarity / T), on features averaged over the
    last map. Training goes on as if nothing had been. Each rank holds a share
    of the train features, and the result is that of a single process.

    Args:
        train (dict or str, optional): Labelled data set, or a folder with one
            folder for each class. Defaults to None, ``eval_datasets.train`` of
            the config.
        test (dict or str, optional): Likewise.
        interval (int): Epochs between two looks; the last epoch gets one in
            any case. Defaults to 1.
        k (Sequence[int]): Numbers of neighbours. Defaults to (20, 200).
        temperature (Sequence[float]): Of the votes. Defaults to (0.1, 0.07).
        batch_size (int): On each rank. Defaults to 128.
        num_workers (int, optional): Defaults to None, as many as in training.
    """

    def __init__(self,
                 train: Union[dict, str, None] = None,
                 test: Union[dict, str, None] = None,
                 interval: int = 1,
                 k: Sequence[int] = (20, 200),
                 temperature: Sequence[float] = (0.1, 0.07),
                 batch_size: int = 128,
                 num_workers: Optional[int] = None) -> None:
        super().__init__(interval, batch_size, num_workers)
        self.train, self.test = train, test
        self.k = k
        self.temperature = temperature

    def before_train(self, runner) -> None:
        """Look for the data before hours are spent on training.

        Raises:
            ValueError: If there are none, or too few for k, or if their
                classes differ.
        """
        self.train_set, self.test_set = (
            DATASETS.build(eval_dataset(runner.cfg, split, given))
            for split, given in dict(train=self.train, test=self.test).items())
        check_same_classes(self.train_set, self.test_set)
        self.train_labels, self.test_labels = (
            read_labels(part, single=True)
            for part in (self.train_set, self.test_set))
        for k in self.k:
            for temperature in self.temperature:
                check_neighbours(k, temperature, len(self.train_set))

    def look(self, runner) -> None:
        """Elect labels by all k and temperatures, and tell."""
        similarity, labels = self.find_neighbours(runner)
        classes = int(self.train_labels.max()) + 1
        right = self.test_labels.to(labels.device)
        scores = {
            (k, t): (vote(similarity[:, :k], labels[:, :k], t,
                          classes) == right).float().mean().item()
            for k in self.k
            for t in self.temperature
        }
        told = ', '.join(f'{score:.4f} (k={k}, T={t})'
                         for (k, t), score in scores.items())
        runner.logger.info(f'k-NN after epoch {runner.epoch + 1}: {told}')
        runner.visualizer.add_scalars(
            {
                f'knn/k{k}_T{t}': score
                for (k, t), score in scores.items()
            },
            step=runner.iter)

    def find_neighbours(self, runner) -> Tuple[Tensor, Tensor]:
        """Similarities and labels of the nearest of all ranks, (M, k) each."""
        shares = [
            rank_batches(len(part), self.batch_size)
            for part in (self.train_set, self.test_set)
        ]
        with aside(runner.model) as model:
            train, test = (check_finite(
                extract_rows(model, part, share, **self.workers(runner)))
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
