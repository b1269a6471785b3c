import copy
import time
from typing import Dict, List, Optional, Tuple

import torch
from mmengine.dataset import Compose, DefaultSampler, default_collate
from mmengine.dist import all_reduce, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import EpochBasedTrainLoop
from torch import Tensor, nn
from torch.utils.data import DataLoader
from tqdm import tqdm

from mmregioncl.datasets.box_store import (BoxStore, attach_boxes, fingerprint,
                                           innermost)
from mmregioncl.datasets.transforms import (ContrastiveCrop, loading_steps,
                                            steps_of)
from mmregioncl.models.utils import feature_map, heatmap_to_boxes
from mmregioncl.registry import HOOKS, TRANSFORMS
from ..aside import aside

BINS = 20  # of the histogram of box areas


@HOOKS.register_module()
class SemanticLocalizationHook(Hook):
    """Find the boxes that ContrastiveCrop draws from (its section 3.2).

    After an epoch the whole training set passes the backbone, image by image
    and without augmentation; the boxes hold from the next epoch on, and are
    part of the checkpoint. Training goes on as if the pass had not been, apart
    from the boxes. The data set may be any of MMEngine's kind, and the
    algorithm any that gives its backbone's features in mode ``'tensor'``.

    Args:
        warmup_epochs (int, optional): Epochs of plain random crops. Defaults
            to None, a fifth of the run, as in all published schedules.
        interval (int, optional): After the warm-up, boxes are found after each
            epoch whose number is a multiple, but not after the last. Until
            the first time, the whole image is the box. Defaults to None, a
            fifth of the run.
        threshold (float): Of the response, scaled to [0, 1], that belongs to
            an object. Defaults to 0.1. A vision transformer responds nearly
            everywhere and takes 0.3 to 0.5.
        image_size (tuple[int, int], optional): Height and width in pixels that
            images are resized to, squeezed if need be, for boxes to fit the
            whole image. Defaults to None, the size of the crops.
        batch_size (int, optional): Defaults to None, that of training.
        num_workers (int, optional): Defaults to None, as many as in training.
    """
    priority = 'LOW'  # before the checkpoint of the same epoch is written

    def __init__(self,
                 warmup_epochs: Optional[int] = None,
                 interval: Optional[int] = None,
                 threshold: float = 0.1,
                 image_size: Optional[Tuple[int, int]] = None,
                 batch_size: Optional[int] = None,
                 num_workers: Optional[int] = None) -> None:
        if (warmup_epochs or 0) < 0 or interval is not None and (
                interval < 1) or not 0 <= threshold < 1:
            raise ValueError(
                f'SemanticLocalizationHook(warmup_epochs={warmup_epochs}, '
                f'interval={interval}, threshold={threshold}) takes epochs '
                'from 0 and 1 on, and a threshold in [0, 1)')
        self.warmup_epochs = warmup_epochs
        self.interval = interval
        self.threshold = threshold
        self.image_size = image_size
        self.batch_size = batch_size
        self.num_workers = num_workers
        self.stores: List[BoxStore] = []
        self.fingerprints: List[str] = []
        self.histograms: Dict[int, List[int]] = {}  # of areas, by epoch
        self.missing = False

    def before_run(self, runner) -> None:
        """Let the data set hand out boxes, before a worker copies it."""
        if not isinstance(runner.train_loop, EpochBasedTrainLoop):
            raise ValueError(
                'SemanticLocalizationHook counts epochs: set train_cfg.type '
                'to EpochBasedTrainLoop')
        fifth = max(1, runner.max_epochs // 5)
        if self.warmup_epochs is None:
            self.warmup_epochs = fifth
        if self.interval is None:
            self.interval = fifth
        dataset = runner.train_dataloader.dataset
        crops = [
            step for part in innermost(dataset)
            for step in steps_of(part.pipeline)
            if isinstance(step, ContrastiveCrop) and step.fixed_box is None
        ]
        if not crops:
            raise ValueError(
                'SemanticLocalizationHook found no crop that takes boxes: set '
                'the type of RandomResizedCrop in the train pipeline to '
                'mmregioncl.ContrastiveCrop, without fixed_box')
        self.image_size = self.image_size or tuple(crops[0].size)
        self.stores = attach_boxes(dataset, self.image_size)
        self.fingerprints = [fingerprint(part) for part in innermost(dataset)]

    def before_train(self, runner) -> None:
        """Find the boxes that a resumed checkpoint should have held."""
        if self.missing and runner.epoch >= self.warmup_epochs:
            runner.logger.warning(
                f'{runner._load_from} holds no crop boxes: finding them now')
            self.find_boxes(runner, runner.epoch)

    def before_train_epoch(self, runner) -> None:
        """Boxes hold once the warm-up is over, also of a resumed run."""
        for store in self.stores:
            store.active.fill_(runner.epoch >= self.warmup_epochs)

    def after_train_epoch(self, runner) -> None:
        """Find the boxes anew, when it is time."""
        epoch = runner.epoch + 1  # that are over
        if (self.warmup_epochs <= epoch < runner.max_epochs
                and epoch % self.interval == 0):
            self.find_boxes(runner, epoch)

    def before_save_checkpoint(self, runner, checkpoint: dict) -> None:
        """Keep the boxes and what data they belong to."""
        checkpoint['ccrop'] = dict(
            edges=[store.edges.clone() for store in self.stores],
            image_size=list(self.image_size),
            fingerprints=self.fingerprints,
            histograms=self.histograms)

    def after_load_checkpoint(self, runner, checkpoint: dict) -> None:
        """Take the boxes back, if the run is resumed.

        Raises:
            ValueError: If they belong to other data.
        """
        if not runner._resume:
            return
        self.missing = 'ccrop' not in checkpoint
        if self.missing:
            return
        state = checkpoint['ccrop']
        counts = [len(edges) for edges in state['edges']]
        if (state['fingerprints'] != self.fingerprints
                or state['image_size'] != list(self.image_size)):
            found = [len(store) for store in self.stores]
            raise ValueError(
                f'the crop boxes of {runner._load_from} belong to {counts} '
                f'images at {state["image_size"]} pixels, not to these '
                f'{found} at {list(self.image_size)} or not in this order: '
                'resume with the data set it was trained on')
        for store, edges in zip(self.stores, state['edges']):
            store.update(edges.cpu())
        self.histograms = state['histograms']

    def find_boxes(self, runner, epoch: int) -> None:
        """One pass over the training set; update the stores on all ranks."""
        start = time.time()
        degenerate = 0
        with aside(runner.model) as model:
            dataset = runner.train_dataloader.dataset
            for part, store in zip(innermost(dataset), self.stores):
                edges, odd = self.localize(model, part, store,
                                           runner.train_dataloader)
                store.update(edges)
                degenerate += odd

        boxes = torch.cat([store.boxes for store in self.stores])
        sides = boxes[:, 2:] - boxes[:, :2]  # (N, 2)
        # A box that reaches from the first to the last pixel is whole, too.
        whole = (sides >= 1 - 1 / torch.tensor(self.image_size)).all(1)
        areas = sides.prod(1)
        self.histograms[epoch] = torch.histc(areas, BINS, 0, 1).long().tolist()
        runner.logger.info(
            f'crop boxes of {len(boxes)} images found in '
            f'{time.time() - start:.1f} s after epoch {epoch}: mean area '
            f'{areas.mean():.3f}, {whole.float().mean():.1%} whole images, '
            f'{degenerate} of them degenerate maps')
        runner.visualizer.add_scalars(
            {
                'ccrop/mean_area': areas.mean().item(),
                'ccrop/whole_images': whole.float().mean().item(),
                'ccrop/degenerate': degenerate / len(boxes)
            },
            step=runner.iter)

    def localize(self, model: nn.Module, dataset, store: BoxStore,
                 train_loader: DataLoader) -> Tuple[Tensor, int]:
        """Boxes of the images of a data set, alike on all ranks.

        Args:
            model (nn.Module): In eval mode.
            dataset (BaseDataset): With its training pipeline.
            store (BoxStore): Of this data set.
            train_loader (DataLoader): Whose workers and batch are taken.

        Returns:
            tuple[Tensor, int]: Edges in pixels, (N, 4) int64, -1 where an
            image could not be read; and the number of degenerate maps.
        """
        num_workers = self.num_workers
        if num_workers is None:
            num_workers = train_loader.num_workers
        whole = copy.copy(dataset)  # shares the list of images
        whole.pipeline = localization_pipeline(dataset, self.image_size)
        loader = DataLoader(
            whole,
            batch_size=self.batch_size or train_loader.batch_size,
            # Its last images are repeated for all ranks to have as many.
            sampler=DefaultSampler(whole, shuffle=False, seed=0),
            num_workers=num_workers,
            collate_fn=default_collate)

        device = next(model.parameters()).device
        # Top, left, bottom, right, and whether the map was degenerate
        found = torch.full((len(store), 5), -1, device=device)
        bar = tqdm(
            loader,
            desc='crop boxes',
            disable=None if is_main_process() else True,
            leave=False)
        for batch in bar:
            inputs, samples = model.data_preprocessor(batch)
            maps = feature_map(model(inputs, mode='tensor'))
            boxes, odd = heatmap_to_boxes(maps, self.image_size,
                                          self.threshold)
            rows = torch.cat([sample.sample_idx.value for sample in samples])
            found[rows.to(device)] = torch.cat(
                (store.to_edges(boxes), odd[:, None].long()), 1)
        all_reduce(found, 'max')
        found = found.cpu()
        return found[:, :4], int((found[:, 4] > 0).sum())


def localization_pipeline(dataset, image_size: Tuple[int, int]) -> Compose:
    """The loading steps of a training pipeline, and the whole image."""
    resize = dict(
        type='Resize', scale=tuple(image_size[::-1]), backend='pillow')
    pack = dict(
        type='PackSelfSupInputs', algorithm_keys=['sample_idx'], meta_keys=())
    return Compose([
        *loading_steps(dataset.pipeline), *map(TRANSFORMS.build,
                                               (resize, pack))
    ])
