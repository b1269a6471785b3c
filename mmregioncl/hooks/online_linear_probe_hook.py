import logging
from typing import Any, Dict, List, Optional, Union

import torch
from mmengine.dist import all_gather
from mmengine.logging import print_log
from torch import Tensor, nn

from mmregioncl.datasets.nested import innermost
from mmregioncl.datasets.transforms import kinds_of
from mmregioncl.engine.storage import saved_state
from mmregioncl.evaluation import (accuracy, check_finite, check_same_classes,
                                   extract_rows, gather_rows, online_probe,
                                   rank_batches, read_labels,
                                   warn_of_one_class)
from mmregioncl.evaluation.frozen import frozen_evaluation
from mmregioncl.models.parents import split_batch
from mmregioncl.models.utils import image_features
from mmregioncl.models.utils.modules import to_device, unwrap
from mmregioncl.models.utils.weights import same_form
from mmregioncl.registry import HOOKS
from mmregioncl.validation import check_number
from .evaluation_hook import EvaluationHook, workers_of


@HOOKS.register_module()
class OnlineLinearProbeHook(EvaluationHook):
    """Train a linear classifier on the features of the model during training.

    In each step the classifier learns from the features that the algorithm
    computes of whole views anyway, detached and averaged over the last feature
    map. It has its own optimizer, starts from zeros, and draws no random
    numbers, so it does not change what the model learns. Every rank learns
    from the features of all ranks.

    Args:
        test (dict or str, optional): Labeled data set, or a folder with one
            folder for each class. Defaults to None, ``eval_datasets.test`` of
            the config. The training set needs labels, too. Images with the
            label -1 are ignored.
        interval (int, optional): Epochs between two evaluations; the last
            epoch is always evaluated. Defaults to None, the smallest number
            that keeps an evaluation below 3 % of the training in between.
        lr (float): Constant learning rate of SGD with momentum 0.9, on
            features of variance 1. Defaults to 0.1.
        batch_size (int): Images per batch of an evaluation on each rank.
            Defaults to 128.
        num_workers (int, optional): Workers of an evaluation. Defaults to
            None, as many as in training.
    """

    def __init__(self,
                 test: Union[dict, str, None] = None,
                 interval: Optional[int] = None,
                 lr: float = 0.1,
                 batch_size: int = 128,
                 num_workers: Optional[int] = None) -> None:
        super().__init__(interval, batch_size, num_workers)
        self.test = test
        self.lr = check_number('lr', lr, type(self).__name__, positive=True)
        self.probe: Optional[nn.Module] = None
        self.state: Optional[dict] = None  # of a resumed run
        self.views: Optional[List[Tensor]] = None  # during a step
        self.features: Optional[Tensor] = None
        self.layout = None  # which rows of the features are whole first views
        self.whole = slice(None)  # which images have such a view
        self.handles: list = []

    def prepare(self, runner) -> None:
        """Add labels to the samples, before workers copy the data set.

        Raises:
            ValueError: If the training set has no labels.
        """
        super().prepare(runner)
        labels = []
        for part in innermost(runner.train_dataloader.dataset):
            labels.append(read_labels(part, single=True, partial=True))
            for step in part.pipeline.transforms:
                # MMPretrain's PackInputs packs labels in any case.
                if 'PackSelfSupInputs' in kinds_of(step):
                    step.algorithm_keys = [*{*step.algorithm_keys, 'gt_label'}]
        known = torch.cat(labels)
        warn_of_one_class(known[known >= 0], 'the linear probe')
        self.classes = int(known.max()) + 1

    def before_train(self, runner) -> None:
        """Build the test set, and register hooks on the backbone."""
        self.test_set, self.test_labels = self.labelled(
            runner, 'test', self.test)
        for part in innermost(runner.train_dataloader.dataset):
            check_same_classes(part, self.test_set)
        model = unwrap(runner.model)
        self.split = getattr(model, 'split', None)
        self.handles = [
            model.data_preprocessor.register_forward_hook(self.note_views),
            model.backbone.register_forward_hook(self.note_features)
        ]

    def after_train(self, runner) -> None:
        """Remove the hooks from the model."""
        super().after_train(runner)
        for handle in self.handles:
            handle.remove()

    def after_load_checkpoint(self, runner, checkpoint: dict) -> None:
        """Restore the classifier if the run is resumed.

        Raises:
            ValueError: If it is damaged.
        """
        self.state = saved_state(runner, checkpoint, 'online_linear', is_probe)

    def before_save_checkpoint(self, runner, checkpoint: dict) -> None:
        """Save the classifier."""
        if self.probe is not None:
            checkpoint['online_linear'] = dict(
                probe=self.probe.state_dict(),
                optimizer=self.optimizer.state_dict(),
                right=int(self.right),
                seen=int(self.seen))

    def before_train_iter(self, runner, batch_idx: int, data_batch) -> None:
        self.views, self.features = [], None

    @torch.compiler.disable  # not part of the model
    def note_views(self, module: nn.Module, args: tuple, output) -> None:
        """Keep the views that the algorithm receives."""
        if self.views is not None:
            self.views, _ = split_batch(output)

    @torch.compiler.disable  # not part of the model
    def note_features(self, module: nn.Module, args: tuple, output) -> None:
        """Keep the features of whole first views, from the first call.

        Most algorithms pass only them, or pass them first; the host's SimCLR
        interleaves both views. With region_share, not all images have one.
        """
        if not self.views or self.features is not None:
            return
        images, view = args[0], self.views[0]
        if self.split is not None:
            _, self.whole = self.split(len(view))
            view = view[self.whole]
        if self.layout is None:
            layouts = slice(len(view)), slice(None, None, len(self.views))
            self.layout = next(
                (rows for rows in layouts if torch.equal(images[rows], view)),
                None)
        if self.layout is None:
            raise ValueError(
                'OnlineLinearProbeHook cannot find the whole first views in '
                'the input of the backbone: use OnlineKNNHook instead')
        features = image_features(output).detach()  # of all images
        self.features = features[self.layout].float()  # (U, C), U images

    def after_train_iter(self,
                         runner,
                         batch_idx: int,
                         data_batch: dict,
                         outputs: Optional[dict] = None) -> None:
        """One step of the classifier."""
        samples = data_batch['data_samples']
        labels = torch.cat([
            torch.as_tensor(getattr(s.gt_label, 'value',
                                    s.gt_label)).flatten() for s in samples
        ])
        labels = to_device(labels[self.whole], self.features.device)
        features = torch.cat(all_gather(self.features))
        labels = torch.cat(all_gather(labels))
        self.views = None
        if len(features) == 1:
            return  # batch norm needs two images
        if self.probe is None:
            self.build(features.shape[1], features.device)
        self.optimizer.zero_grad()
        scores = self.probe(features)
        loss = nn.functional.cross_entropy(
            scores, labels, ignore_index=-1, reduction='sum')
        known = (labels >= 0).sum()
        (loss / known.clamp(min=1)).backward()
        self.optimizer.step()
        self.right += (scores.argmax(1) == labels).sum()
        self.seen += known

    def build(self, channels: int, device: torch.device) -> None:
        """Build classifier and optimizer, or restore them."""
        self.probe = online_probe(channels, self.classes).to(device)
        self.optimizer = torch.optim.SGD(
            self.probe.parameters(), self.lr, momentum=0.9)
        if self.state is None:
            return
        before = len(self.state['probe']['1.bias'])
        if before != self.classes:
            print_log(
                'the linear probe starts from zeros: the checkpoint has '
                f'{before} classes, but the data set has {self.classes}',
                'current', logging.WARNING)
        else:
            self.probe.load_state_dict(self.state['probe'])
            self.optimizer.load_state_dict(
                dict(
                    self.optimizer.state_dict(),
                    state=self.state['optimizer']['state']))

    def before_train_epoch(self, runner) -> None:
        """Count the right answers of the epoch."""
        super().before_train_epoch(runner)
        self.right = self.seen = 0
        begin = runner.epoch * len(runner.train_dataloader)
        if self.state and runner.iter > begin:  # resumed in the middle
            self.right = self.state.get('right', 0)
            self.seen = self.state.get('seen', 0)

    def passes(self, runner) -> int:
        """Images of the test set."""
        return len(self.test_set)

    def metric_names(self, runner) -> List[str]:
        """Accuracy on test images, and on training views."""
        return ['linear/accuracy', 'linear/train_accuracy']

    def evaluate(self, runner) -> Dict[str, float]:
        """Log the accuracy on the test set and on the training views."""
        device = next(unwrap(runner.model).parameters()).device
        if self.probe is None and self.state:  # resumed after the last step
            self.build(self.state['probe']['1.weight'].shape[1], device)
        if self.probe is None:
            return {}  # no batch had two images
        batches = rank_batches(len(self.test_set), self.batch_size)
        # Not with averaged weights: it was not trained on their features
        with frozen_evaluation(runner.model) as model:
            rows = check_finite(
                extract_rows(model, self.test_set, batches,
                             **workers_of(runner, self.num_workers)))
        test = gather_rows(rows, batches, len(self.test_set))
        self.probe.eval()
        with torch.no_grad():
            found = self.probe(test.to(device)).argmax(1).cpu()
        self.probe.train()
        scores = dict(
            accuracy=accuracy(found, self.test_labels),
            train_accuracy=float(self.right / self.seen))
        runner.logger.info(
            f'linear probe after epoch {runner.epoch + 1}: '
            f'{scores["accuracy"]:.4f} of the test set, '
            f'{scores["train_accuracy"]:.4f} of the training views')
        return {f'linear/{name}': score for name, score in scores.items()}


def is_probe(state: Any) -> bool:
    """Whether a saved classifier is complete and not damaged."""
    try:
        classes, channels = state['probe']['1.weight'].shape
        probe = online_probe(channels, classes)
        momenta = dict(
            enumerate(
                dict(momentum_buffer=weight) for weight in probe.parameters()))
        return same_form([
            state['probe'], state['optimizer']['state'],
            state.get('right', 0),
            state.get('seen', 0)
        ], [probe.state_dict(), momenta, 0, 0])
    except Exception:  # it may contain anything
        return False
