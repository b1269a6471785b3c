import math
from typing import Dict, List, Optional

import torch
from mmengine.dist import get_rank, get_world_size
from mmengine.logging import MessageHub
from torch import Tensor

from mmregioncl.engine.batches import images_per_batch
from mmregioncl.evaluation import batch_loader, gather_rows, rank_batches
from mmregioncl.evaluation.embeddings import (SeededViews, chance_loss, embed,
                                              statistics)
from mmregioncl.models.utils import preprocess
from mmregioncl.models.utils.modules import unwrap
from mmregioncl.registry import HOOKS
from mmregioncl.validation import check_whole_number
from .evaluation_hook import SHARE, EvaluationHook, epoch_passes, workers_of

GONE = 4  # A spread is lost if it was this many times larger before.
RECOVER = ('lower the learning rate, and check that the target gets no '
           'gradient, that SimSiam and BYOL have their predictor, and that '
           'batch norm sees enough images')
LEARN = ('crop less, lower head.temperature, update the key encoder faster '
         '(model.momentum), train for more steps, or start from published '
         'weights with load_from')
PASSES = 3  # of an image: both views and the composite
LEAST = 4  # images; RankMe cannot exceed their number, and 2 means collapse


@HOOKS.register_module()
class RepresentationHealthHook(EvaluationHook):
    """Monitor whether embeddings spread out or collapse, without labels.

    For the embeddings of whole training views and, if the algorithm swaps
    regions, of canvas and paste, it logs how far they spread
    (:func:`~mmregioncl.evaluation.relative_std`), over how many directions
    (RankMe), how close positive pairs are (alignment), and how evenly they
    are distributed (uniformity). The positive of a view, a canvas or a paste
    is the whole second view of its image. RankMe of the backbone's features
    is logged, too. Every evaluation uses the same images, views and regions,
    on any number of processes. Training is unaffected: weights and random
    state are unchanged.

    It warns if all embeddings are nearly equal. If they have been so from the
    start, and the loss is still at chance level, nothing is learned yet.
    Otherwise they have collapsed.

    Args:
        interval (int, optional): Epochs between two evaluations; the last
            epoch is always evaluated. Defaults to None, the smallest number
            that keeps an evaluation below 3 % of the training in between.
        samples (int): Images to embed, spread evenly over the data set. RankMe
            is at most this number, so compare it only between equal numbers.
            Defaults to 1024.
        collapse (float): Spread in [0, 1] up to which embeddings count as
            equal, as with a RankMe of at most 2. The hook warns after two such
            evaluations in a row or at the end, and at once for NaN. Defaults
            to 0.05.
        batch_size (int): Images per batch on each rank, even. Defaults to 64.
        num_workers (int, optional): Defaults to None, as many as in training.
    """

    def __init__(self,
                 interval: Optional[int] = None,
                 samples: int = 1024,
                 collapse: float = 0.05,
                 batch_size: int = 64,
                 num_workers: Optional[int] = None) -> None:
        owner = type(self).__name__
        if check_whole_number('batch_size', batch_size, owner, low=2) % 2 or \
                check_whole_number('samples', samples, owner) < LEAST:
            raise ValueError(
                f'batch_size={batch_size} of RepresentationHealthHook has to '
                f'be even, and samples={samples} 4 or more')
        super().__init__(interval, batch_size, num_workers)
        self.samples = int(samples)
        self.collapse = collapse

    def count(self, runner) -> int:
        """Images to embed, an even number, since regions are swapped in
        pairs."""
        dataset = runner.train_dataloader.dataset
        return min(self.samples, len(dataset)) // 2 * 2

    def first_count(self, runner) -> int:
        """Images to embed before training, within 3 % of an epoch.

        At least a batch, since the spread of a few images is not accurate.
        """
        allowed = int(SHARE * epoch_passes(runner) / PASSES) // 2 * 2
        return min(self.count(runner), max(allowed, self.batch_size))

    def passes(self, runner) -> int:
        """Both views and the composite of each image."""
        return PASSES * self.count(runner)

    def metric_names(self, runner) -> List[str]:
        """One metric for each part and statistic."""
        if self.count(runner) < LEAST:
            return []
        model = unwrap(runner.model)
        parts = ['view'] if model.with_neck else []
        if parts and hasattr(model, 'project_regions'):
            parts += ['canvas', 'paste']
        return ['health/features/rankme'] + [
            f'health/{part}/{statistic}' for part in parts
            for statistic in ('std', 'rankme', 'uniformity', 'alignment')
        ]

    def before_train(self, runner) -> None:
        """Measure how far embeddings of the untrained network spread.

        Warns if there are too few images. ``GuardHook`` comes before, and
        refuses those that do not fill a batch.
        """
        if self.count(runner) < LEAST:
            images = len(runner.train_dataloader.dataset)
            runner.logger.warning(
                f'{type(self).__name__} measures nothing on {images} images: '
                f'add images, {LEAST} or more, or set its default_hooks entry '
                'to None')
        count = self.first_count(runner)
        if runner.iter == 0 and count >= LEAST:
            runner.logger.info(f'embedding {count} images before training, '
                               'as a reference for later evaluations')
            scalars = self.measure(runner, count)
            self.note_widest(runner.message_hub, scalars)
            log(runner, scalars, 'before training')

    def evaluate(self, runner) -> Dict[str, float]:
        """Log the statistics, and warn if embeddings are nearly equal."""
        count = self.count(runner)
        if count < LEAST:
            return {}
        scalars = self.measure(runner, count)
        self.report(runner, scalars)
        return {f'health/{name}': value for name, value in scalars.items()}

    def measure(self, runner, count: int) -> Dict[str, float]:
        """Embed some training images and return the statistics."""
        sample = SeededViews(runner.train_dataloader.dataset, count)
        batches = rank_batches(count, self.batch_size)
        # A rank without a batch embeds one pair and keeps none of its rows.
        views = batch_loader(sample, batches or [[0, 1]],
                             **workers_of(runner, self.num_workers))
        parts: Dict[str, List[Tensor]] = {}
        with self.frozen(runner) as model:
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
        return statistics(embeddings)

    def report(self, runner, scalars: Dict[str, float]) -> None:
        """Log statistics, and warn if embeddings are nearly equal."""
        when = f'after epoch {runner.epoch + 1}'
        log(runner, scalars, when)
        self.warn(runner, scalars, when)

    def warn(self, runner, scalars: Dict[str, float], when: str) -> None:
        """Warn if all embeddings are nearly equal, and say since when."""
        least = dict(std=self.collapse, rankme=2)
        equal = [
            f'{name} is {value:.3g}' for name, value in scalars.items()
            if not value > least.get(name.split('/')[1], -torch.inf)
        ]  # or NaN
        # Checkpoints contain the hub, so a resumed run knows earlier values.
        hub = runner.message_hub
        times = hub.get_info('health/collapses', 0) + 1 if equal else 0
        hub.update_info('health/collapses', times)
        widest = self.note_widest(hub, scalars)
        # The first evaluation may come before embeddings have spread.
        broken = any(map(math.isnan, scalars.values()))
        last = self.is_last_train_epoch(runner)
        if not last and not (equal and (times == 2 or broken)):
            return
        model = unwrap(runner.model)
        images = images_per_batch(runner.train_dataloader) * get_world_size()
        chance, loss = chance_loss(model, images), recent_loss(hub)
        # Random keys that fill the queue at first are easy to tell apart.
        filling = runner.iter * images < getattr(model, 'queue_len', 0)
        gone = any(GONE * scalars.get(name, value) < value
                   for name, value in widest.items())
        if None not in (chance, loss) and not broken and not gone and \
                (filling and equal or is_chance(loss, chance)):
            alike = ', and all embeddings are similar ' \
                f'({", ".join(equal)})' if equal else ''
            runner.logger.warning(
                f'nothing is learned yet {when}: the loss ({loss:.3g}) is '
                f'still at chance level ({chance:.3g}){alike}; {LEARN}')
        elif equal:
            runner.logger.warning(
                f'embeddings have collapsed {when}: {", ".join(equal)} '
                f'(healthy: std near 1, rankme far above 2); {RECOVER}')

    @staticmethod
    def note_widest(hub: MessageHub, scalars: Dict[str,
                                                   float]) -> Dict[str, float]:
        """Update and return the largest spreads so far, by name."""
        widest = dict(hub.get_info('health/widest', {}))
        for name, value in scalars.items():
            if name.endswith('/std') and not math.isnan(value):
                widest[name] = max(value, widest.get(name, 0.))
        hub.update_info('health/widest', widest)
        return widest


def log(runner, scalars: Dict[str, float], when: str) -> None:
    text = ', '.join(f'{name} {value:.3g}' for name, value in scalars.items())
    runner.logger.info(f'embeddings {when}: {text}')


def recent_loss(hub: MessageHub) -> Optional[float]:
    """Mean loss of the last 50 steps."""
    losses = hub.log_scalars.get('train/loss')
    return losses and float(losses.mean(50))


def is_chance(loss: float, chance: float) -> bool:
    """Whether the positive is at most twice as likely as by guessing."""
    return loss > chance - math.log(2)
