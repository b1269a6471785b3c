import math
import random
from typing import Dict, List, Optional

import numpy as np
import torch
from mmengine.dist import get_rank, get_world_size
from torch import Tensor, nn
from torch.utils.data import Dataset

from mmregioncl.evaluation import (alignment, batch_loader, gather_rows,
                                   rank_batches, rankme, relative_std,
                                   uniformity)
from mmregioncl.models.utils import feature_map
from mmregioncl.registry import HOOKS
from ..aside import aside
from .look_hook import LookHook


@HOOKS.register_module()
class RepresentationHealthHook(LookHook):
    """Tell whether embeddings spread out or collapse, without labels.

    The neck's embeddings of training views, of whole ones and, where the
    algorithm swaps regions, of canvas and paste: how far they spread
    (:func:`~mmregioncl.evaluation.relative_std`), over how many directions
    (RankMe), how close positive pairs are (alignment) and how evenly they lie
    (uniformity). The pair of a whole view, a canvas or a paste is the whole
    second view of its image. RankMe of the backbone's features is there too.
    The same images, views and regions are taken each time, and by any number
    of processes. Training goes on as if nothing had been.

    Args:
        interval (int): Epochs between two looks; the last epoch gets one in
            any case. Defaults to 1.
        samples (int): Images, spread evenly over the data set. No RankMe is
            greater, so that it compares with those of as many images alone.
            Defaults to 1024.
        collapse (float): Spread, from 0 to 1, below which a warning is given,
            as by a RankMe below 2, when it is so in two looks in a row or in
            the last one; by NaN at once. Defaults to 0.05.
        batch_size (int): Even. Defaults to 64.
        num_workers (int, optional): Defaults to None, as many as in training.
    """

    def __init__(self,
                 interval: int = 1,
                 samples: int = 1024,
                 collapse: float = 0.05,
                 batch_size: int = 64,
                 num_workers: Optional[int] = None) -> None:
        if batch_size % 2 or samples < 4:
            raise ValueError(
                f'batch_size={batch_size} of RepresentationHealthHook has to '
                f'be even, and samples={samples} 4 or more')
        super().__init__(interval, batch_size, num_workers)
        self.samples = samples
        self.collapse = collapse
        self.bad_looks = 0  # in a row

    def look(self, runner) -> None:
        """Embed some training images, measure, and tell."""
        dataset = runner.train_dataloader.dataset
        count = min(self.samples, len(dataset)) // 2 * 2  # pairs swap
        sample = SeededViews(dataset, count)
        batches = rank_batches(count, self.batch_size)
        # A rank without a batch looks at one pair, and keeps no row of it.
        views = batch_loader(sample, batches or [[0, 1]],
                             **self.workers(runner))
        parts: Dict[str, List[Tensor]] = {}
        with aside(runner.model) as model:
            for number, batch in enumerate(views):
                # Of the region: that which one process would draw
                torch.manual_seed(get_rank() + number * get_world_size())
                inputs, _ = model.data_preprocessor(batch)
                for name, rows in embed(model, inputs).items():
                    parts.setdefault(name, []).append(rows.float().cpu())
        mine = sum(map(len, batches))
        embeddings = {
            name: gather_rows(torch.cat(rows)[:mine], batches, count)
            for name, rows in parts.items()
        }
        self.report(runner, measure(embeddings))

    def report(self, runner, scalars: Dict[str, float]) -> None:
        """Log what was measured, and warn of a collapse."""
        told = ', '.join(f'{name} {value:.3g}'
                         for name, value in scalars.items())
        when = f'after epoch {runner.epoch + 1}'
        runner.logger.info(f'embeddings {when}: {told}')
        runner.visualizer.add_scalars(
            {
                f'health/{name}': value
                for name, value in scalars.items()
            },
            step=runner.iter)
        least = dict(std=self.collapse, rankme=2)
        collapsed = [
            f'{name} is {value:.3g}' for name, value in scalars.items()
            if not value > least.get(name.split('/')[1], -torch.inf)
        ]  # or NaN
        self.bad_looks = self.bad_looks + 1 if collapsed else 0
        # A first look may come before embeddings have spread.
        if collapsed and (self.bad_looks == 2
                          or any(map(math.isnan, scalars.values()))
                          or self.is_last_train_epoch(runner)):
            runner.logger.warning(
                f'embeddings have collapsed {when}: {", ".join(collapsed)} '
                '(healthy: std near 1, rankme far above 2); lower the '
                'learning rate, and see that the target gets no gradient, '
                'that SimSiam and BYOL have their predictor, and that batch '
                'norm sees enough images')


class SeededViews(Dataset):
    """Some images of a data set, with the same views each time.

    Args:
        dataset (Dataset): With random views.
        count (int): Images, spread evenly.
    """

    def __init__(self, dataset: Dataset, count: int) -> None:
        self.dataset = dataset
        self.rows = np.linspace(0, len(dataset) - 1, count).round().astype(int)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> dict:
        for seed in (random.seed, np.random.seed, torch.manual_seed):
            seed(index)
        return self.dataset[int(self.rows[index])]


def embed(model: nn.Module, inputs: List[Tensor]) -> Dict[str, Tensor]:
    """Features and embeddings of a batch, as the algorithm makes them.

    Args:
        model (nn.Module): A pre-training algorithm in eval mode.
        inputs (list[Tensor]): Its views, (N, 3, H, W) each.

    Returns:
        dict[str, Tensor]: ``features`` (N, C), ``view`` (N, D), and where
        there are a second view or regions ``second``, ``canvas``, ``paste``.
    """
    features = model.backbone(inputs[0])
    parts = dict(features=feature_map(features).mean((2, 3)))
    if not model.with_neck:
        return parts
    parts['view'] = model.neck(features)[0]
    if len(inputs) > 1:
        parts['second'] = model.neck(model.backbone(inputs[1]))[0]
    if hasattr(model, 'project_regions'):
        parts['canvas'], parts['paste'] = model.project_regions(inputs[0])
    return parts


def measure(embeddings: Dict[str, Tensor]) -> Dict[str, float]:
    """All statistics of all embeddings, by names such as ``canvas/std``."""
    second = embeddings.pop('second', None)
    scalars = {'features/rankme': rankme(embeddings.pop('features'))}
    for name, rows in embeddings.items():
        scalars[f'{name}/std'] = relative_std(rows)
        scalars[f'{name}/rankme'] = rankme(rows)
        scalars[f'{name}/uniformity'] = uniformity(rows)
        if second is not None:
            scalars[f'{name}/alignment'] = alignment(rows, second)
    return scalars
