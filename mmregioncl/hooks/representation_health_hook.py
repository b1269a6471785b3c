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
from mmregioncl.evaluation.frozen import frozen_evaluation
from mmregioncl.models.utils import grid_of, image_features, preprocess
from mmregioncl.registry import HOOKS
from .evaluation_hook import EvaluationHook


@HOOKS.register_module()
class RepresentationHealthHook(EvaluationHook):
    """Monitor whether embeddings spread out or collapse, without labels.

    For the embeddings of whole training views and, if the algorithm swaps
    regions, of canvas and paste, it logs how far they spread
    (:func:`~mmregioncl.evaluation.relative_std`), over how many directions
    (RankMe), how close positive pairs are (alignment), and how evenly they
    are distributed (uniformity). The positive of a view, a canvas or a paste
    is the whole second view of its image. RankMe of the backbone's features
    is logged, too. Every evaluation takes the same images, views and regions,
    on any number of processes. Training is unaffected: weights and random
    state are unchanged.

    Args:
        interval (int, optional): Epochs between two evaluations; the last
            epoch is always evaluated. Defaults to None, as few as keep an
            evaluation below 3 % of the training in between.
        samples (int): Images to embed, spread evenly over the data set. RankMe
            is at most this number, so compare it between equal numbers only.
            Defaults to 1024.
        collapse (float): Spread in [0, 1] that counts as collapsed, as does a
            RankMe below 2. It warns after two such evaluations in a row or at
            the end, and after NaN at once. Defaults to 0.05.
        batch_size (int): Images per batch on each rank, even. Defaults to 64.
        num_workers (int, optional): Defaults to None, as many as in training.
    """

    def __init__(self,
                 interval: Optional[int] = None,
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

    def count(self, runner) -> int:
        """Images to embed, an even number, since regions swap in pairs."""
        dataset = runner.train_dataloader.dataset
        return min(self.samples, len(dataset)) // 2 * 2

    def passes(self, runner) -> int:
        """Both views and the composite of each image."""
        return 3 * self.count(runner)

    def evaluate(self, runner) -> None:
        """Embed some training images and log the statistics."""
        dataset = runner.train_dataloader.dataset
        count = self.count(runner)
        sample = SeededViews(dataset, count)
        batches = rank_batches(count, self.batch_size)
        # A rank without a batch embeds one pair and keeps none of its rows.
        views = batch_loader(sample, batches or [[0, 1]],
                             **self.workers(runner))
        parts: Dict[str, List[Tensor]] = {}
        with frozen_evaluation(runner.model) as model:
            for number, batch in enumerate(views):
                # The region that a single process would draw
                torch.manual_seed(get_rank() + number * get_world_size())
                inputs, _ = preprocess(model.data_preprocessor, batch)
                for name, rows in embed(model, inputs).items():
                    parts.setdefault(name, []).append(rows.float().cpu())
        mine = sum(map(len, batches))
        embeddings = {
            name: gather_rows(torch.cat(rows)[:mine], batches, count)
            for name, rows in parts.items()
        }
        self.report(runner, measure(embeddings))

    def report(self, runner, scalars: Dict[str, float]) -> None:
        """Log the statistics, and warn of a collapse."""
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
        # The hub, which checkpoints hold, knows the number in a row.
        hub = runner.message_hub
        collapses = hub.get_info('health/collapses', 0) + 1 if collapsed else 0
        hub.update_info('health/collapses', collapses)
        # The first evaluation may come before embeddings have spread.
        if collapsed and (collapses == 2
                          or any(map(math.isnan, scalars.values()))
                          or self.is_last_train_epoch(runner)):
            runner.logger.warning(
                f'embeddings have collapsed {when}: {", ".join(collapsed)} '
                '(healthy: std near 1, rankme far above 2); lower the '
                'learning rate, and check that the target gets no gradient, '
                'that SimSiam and BYOL have their predictor, and that batch '
                'norm sees enough images')


class SeededViews(Dataset):
    """Some images of a data set, with the same views every time.

    Args:
        dataset (Dataset): With random views.
        count (int): Number of images, spread evenly.
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
    """Features and embeddings of a batch.

    Args:
        model (nn.Module): A pre-training algorithm in eval mode.
        inputs (list[Tensor]): Its views, (N, 3, H, W) each.

    Returns:
        dict[str, Tensor]: ``features`` (N, C), ``view`` (N, D), and where
        there are a second view or regions ``second``, ``canvas``, ``paste``.
    """
    features = model.backbone(inputs[0])
    parts = dict(features=image_features(features))
    if not model.with_neck:
        return parts
    parts['view'] = model.neck(features)[0]
    if len(inputs) > 1:
        parts['second'] = model.neck(model.backbone(inputs[1]))[0]
    if hasattr(model, 'project_regions'):
        parts['canvas'], parts['paste'] = model.project_regions(
            inputs[0], grid_of(features))
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
