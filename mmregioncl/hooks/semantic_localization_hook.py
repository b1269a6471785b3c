import time
from functools import partial
from typing import Dict, List, Optional, Tuple, Union

import torch
from mmengine.hooks import Hook
from mmengine.runner import EpochBasedTrainLoop

from mmregioncl.datasets.box_store import BoxStore, attach_boxes, is_saved
from mmregioncl.datasets.fingerprint import fingerprint
from mmregioncl.datasets.nested import innermost
from mmregioncl.datasets.transforms import ContrastiveCrop, steps_of
from mmregioncl.engine.storage import loaded_from, saved_state
from mmregioncl.evaluation.frozen import frozen_evaluation
from mmregioncl.evaluation.localization import localize
from mmregioncl.models.utils import (Threshold, are_whole, areas,
                                     check_threshold, covered)
from mmregioncl.registry import HOOKS
from mmregioncl.validation import check_whole_number
from .evaluation_hook import workers_of

BINS = 20  # of the histogram of box areas


@HOOKS.register_module()
class SemanticLocalizationHook(Hook):
    """Find the boxes for ContrastiveCrop.

    It follows ``update_box`` of the official code (xyupeng/ContrastiveCrop at
    408f143, `paper <https://arxiv.org/abs/2202.03278>`_).

    After an epoch the whole training set passes the backbone without
    augmentation. The boxes are used from the next epoch on and saved in the
    checkpoint. Otherwise training is unaffected: weights and random state are
    unchanged. It works with any data set of MMEngine, and with any algorithm
    that returns the backbone's features in mode ``'tensor'``.

    Args:
        warmup_epochs (int, optional): Epochs of plain random crops. Defaults
            to None, a fifth of the run, as in all published schedules.
        interval (int, optional): After the warm-up, boxes are found after
            every epoch that is a multiple of the interval, except the last.
            Until then the box is the whole image. Defaults to None, a fifth of
            the run.
        threshold (float or str): Response, scaled to [0, 1], above which a
            pixel belongs to an object. Defaults to 0.1, as published. Vision
            transformers respond nearly everywhere and need 0.3 to 0.5.
            ``'mean'``, the mean response of each image, is this package's
            definition.
        image_size (int or tuple[int, int], optional): Height and width in
            pixels to which images are resized, without keeping the aspect
            ratio. Defaults to None, the size of the crops.
        batch_size (int, optional): Defaults to None, as in training.
        num_workers (int, optional): Defaults to None, as many as in training.
    """
    priority = 'LOW'  # before the checkpoint of the same epoch is written

    def __init__(self,
                 warmup_epochs: Optional[int] = None,
                 interval: Optional[int] = None,
                 threshold: Threshold = 0.1,
                 image_size: Union[int, Tuple[int, int], None] = None,
                 batch_size: Optional[int] = None,
                 num_workers: Optional[int] = None) -> None:
        if isinstance(image_size, int):
            image_size = (image_size, image_size)
        if image_size is not None and len(image_size) != 2:
            raise ValueError(
                f'image_size={image_size} of SemanticLocalizationHook has to '
                'be a height and a width')
        whole_number = partial(
            check_whole_number, owner=type(self).__name__, optional=True)
        self.warmup_epochs = whole_number(
            'warmup_epochs', warmup_epochs, low=0)
        self.interval = whole_number('interval', interval)
        self.threshold = check_threshold(threshold)
        self.image_size = image_size and tuple(
            whole_number('image_size', side) for side in image_size)
        if image_size and max(image_size) >= 2**15:
            raise ValueError(f'image_size={image_size} of SemanticLocalization'
                             'Hook has to be below 32768 pixels')
        self.batch_size = whole_number('batch_size', batch_size)
        self.num_workers = whole_number('num_workers', num_workers, low=0)
        self.stores: List[BoxStore] = []
        self.fingerprints: List[str] = []
        self.histograms: Dict[int, List[int]] = {}  # of areas, by epoch
        self.missing = False

    def before_run(self, runner) -> None:
        """Add boxes to the samples, before workers copy the data set."""
        if self.stores or isinstance(runner._train_loop, (dict, type(None))):
            return  # attached before, or this run does not train
        if not isinstance(runner.train_loop, EpochBasedTrainLoop):
            raise ValueError(
                'SemanticLocalizationHook needs epochs: set train_cfg.type '
                'to EpochBasedTrainLoop')
        dataset = runner.train_dataloader.dataset
        crops = [
            step for part in innermost(dataset)
            for step in steps_of(part.pipeline)
            if isinstance(step, ContrastiveCrop) and step.fixed_box is None
        ]
        if not crops:
            raise ValueError(
                'SemanticLocalizationHook found no crop that uses boxes: set '
                'the type of RandomResizedCrop in the train pipeline to '
                'mmregioncl.ContrastiveCrop, without fixed_box')
        self.image_size = self.image_size or tuple(crops[0].size)
        self.stores = attach_boxes(dataset, self.image_size)
        self.fingerprints = [fingerprint(part) for part in innermost(dataset)]

    def before_train(self, runner) -> None:
        """Set the schedule, and find boxes if the checkpoint has none."""
        fifth = -(-runner.max_epochs // 5)
        if self.warmup_epochs is None:
            self.warmup_epochs = fifth
        if self.interval is None:
            self.interval = fifth
        passes = [
            epoch for epoch in range(1, runner.max_epochs)
            if self.is_due(epoch, runner.max_epochs)
        ]
        if not passes:
            runner.logger.warning(
                f'boxes will not be found in {runner.max_epochs} epochs: '
                f'lower warmup_epochs={self.warmup_epochs} or interval='
                f'{self.interval} of SemanticLocalizationHook')
        if self.missing and runner.epoch >= self.warmup_epochs:
            runner.logger.warning(
                f'{loaded_from(runner)} has no crop boxes: finding them now')
            self.find_boxes(runner, runner.epoch)

    def before_train_epoch(self, runner) -> None:
        """Use the boxes once the warm-up is over."""
        for store in self.stores:
            store.active.fill_(runner.epoch >= self.warmup_epochs)

    def after_train_epoch(self, runner) -> None:
        """Update the boxes when due."""
        epoch = runner.epoch + 1  # number of finished epochs
        if self.is_due(epoch, runner.max_epochs):
            self.find_boxes(runner, epoch)

    def is_due(self, epoch: int, max_epochs: int) -> bool:
        """Whether boxes are found after an epoch, counted from 1."""
        return (self.warmup_epochs <= epoch < max_epochs
                and epoch % self.interval == 0)

    def before_save_checkpoint(self, runner, checkpoint: dict) -> None:
        """Save the boxes and the fingerprint of their data."""
        checkpoint['ccrop'] = dict(
            edges=[store.edges.clone() for store in self.stores],
            image_size=list(self.image_size),
            fingerprints=self.fingerprints,
            schedule=(self.warmup_epochs, self.interval),
            histograms=self.histograms)

    def after_load_checkpoint(self, runner, checkpoint: dict) -> None:
        """Restore the boxes if the run is resumed.

        Raises:
            ValueError: If they belong to other data, or are damaged.
        """
        state = saved_state(runner, checkpoint, 'ccrop', is_saved)
        self.missing = runner._resume and state is None
        if state is None:
            return
        counts = [len(edges) for edges in state['edges']]
        found = [len(store) for store in self.stores]
        if (counts != found or state['fingerprints'] != self.fingerprints
                or state['image_size'] != list(self.image_size)):
            raise ValueError(
                f'the crop boxes of {loaded_from(runner)} belong to {counts} '
                f'images at {state["image_size"]} pixels, not to these '
                f'{found} at {list(self.image_size)} or not in this order: '
                'resume with the data set it was trained on')
        for store, edges in zip(self.stores, state['edges']):
            store.update(edges.cpu())
        self.histograms = state['histograms']
        warmup_epochs, interval = state['schedule']
        if self.warmup_epochs is None:
            self.warmup_epochs = warmup_epochs
        if self.interval is None:
            self.interval = interval

    def find_boxes(self, runner, epoch: int) -> None:
        """Find all boxes in one pass, and update them on all ranks."""
        start = time.time()
        degenerate = 0
        loader = runner.train_dataloader
        workers = workers_of(runner, self.num_workers)
        with frozen_evaluation(runner.model) as model:
            for part, store in zip(innermost(loader.dataset), self.stores):
                edges, count = localize(model, part, store, self.threshold,
                                        self.batch_size or loader.batch_size,
                                        **workers)
                store.update(edges)
                degenerate += count
        self.report(runner, epoch, degenerate, time.time() - start)

    def report(self, runner, epoch: int, degenerate: int,
               seconds: float) -> None:
        """Log statistics of the boxes, and keep the histogram of areas."""
        boxes = torch.cat([store.boxes for store in self.stores])
        boxes = covered(boxes, self.image_size)
        shares = areas(boxes)
        whole = are_whole(boxes).float().mean()
        self.histograms[epoch] = torch.histc(shares, BINS, 0,
                                             1).long().tolist()
        runner.logger.info(
            f'crop boxes of {len(boxes)} images found in {seconds:.1f} s '
            f'after epoch {epoch}: mean area {shares.mean():.3f}, {whole:.1%} '
            f'whole images, {degenerate} of them degenerate maps')
        runner.visualizer.add_scalars(
            {
                'ccrop/mean_area': shares.mean().item(),
                'ccrop/whole_images': whole.item(),
                'ccrop/degenerate': degenerate / len(boxes)
            },
            step=runner.iter)
