from typing import Any, Optional, Sequence

import torch
from torch import Tensor

from mmregioncl.registry import MODELS, TRANSFORMS
from mmregioncl.validation import is_number
from ..parents import Batch
from ..parents import SelfSupDataPreprocessor as Parent
from ..parents import join_batch
from ..utils.precision import no_autocast


def normalize(view: Tensor, scale: Tensor, shift: Tensor,
              flip_channels: bool) -> Tensor:
    """``scale * view + shift``, in one operation per channel.

    On a GPU each value is read once and written once.

    Args:
        view (Tensor): Shape (N, C, H, W), uint8 or float32.
        scale, shift (Tensor): Shape (C, 1, 1), for the channels as returned.
        flip_channels (bool): Whether to reverse the channels, BGR and RGB.

    Returns:
        Tensor: Shape (N, C, H, W), float32, in the layout of the view.
    """
    normalized = torch.empty_like(view, dtype=torch.float32)
    channels = view.unbind(1)
    for channel, a, b, out in zip(
            channels[::-1] if flip_channels else channels, scale, shift,
            normalized.unbind(1)):
        torch.addcmul(b, channel, a, out=out)  # (N, H, W)
    return normalized


def labels_alone(samples: list) -> bool:
    """Whether samples contain only labels.

    No algorithm of pre-training reads labels, and moving them one by one to a
    GPU can take as long as a step.
    """
    first = samples[0] if samples else None
    return first is not None and set(first.keys()) <= {'gt_label'}


@MODELS.register_module()
class SelfSupDataPreprocessor(Parent):
    """``SelfSupDataPreprocessor`` of the host, in one pass over each view.

    The parent takes four passes (cast, channel order, difference, quotient),
    waits for the device once, and supports only one or three channels.

    With `views` it makes the views of a batch of images, on the device. The
    loader then packs one image, with ``mmregioncl.PackSeededInputs``. Batches
    without seeds, as in evaluations, are normalized as they are.

    Args:
        mean, std (Sequence[float], optional): One value per channel, for any
            number of channels. Default to None, no normalization.
        views (dict, optional): Settings of ``mmregioncl.BatchViews``. Defaults
            to None: the loader makes the views.
        non_blocking (bool): Whether copies to the device overlap with work
            on the host, for which the dataloader needs ``pin_memory``.
            Defaults to True.
        **kwargs: Further arguments of the parent.
    """

    def __init__(self,
                 mean: Optional[Sequence[float]] = None,
                 std: Optional[Sequence[float]] = None,
                 views: Optional[dict] = None,
                 non_blocking: bool = True,
                 **kwargs) -> None:
        statistics = dict(mean=mean, std=std)
        if mean is not None and std is not None and len(mean) != len(std):
            raise ValueError(
                f'mean={mean} and std={std} of data_preprocessor have '
                'different lengths: set one number for each channel')
        if std is not None and not all(is_number(x) and x > 0 for x in std):
            raise ValueError(f'std={std} of data_preprocessor has to be '
                             'positive numbers')
        known = mean is None or std is None or len(mean) in (1, 3)
        super().__init__(
            **(statistics if known else {}),
            non_blocking=non_blocking,
            **kwargs)
        if not known:
            self._enable_normalize = True
            for name, values in statistics.items():
                self.register_buffer(
                    name,
                    torch.tensor(values).float().view(-1, 1, 1),
                    persistent=False)
        self.views: Any = None
        if views is not None:
            self.views = TRANSFORMS.build(
                dict(dict(type='mmregioncl.BatchViews'), **views))
        if self._enable_normalize:
            scale = self.std.double().reciprocal()
            shift = -self.mean.double() * scale
            self.register_buffer('scale', scale.float(), persistent=False)
            self.register_buffer('shift', shift.float(), persistent=False)

    def forward(self, data: dict, training: bool = False) -> Batch:
        """Move a batch to the device and normalize it.

        Args:
            data (dict): ``inputs``, a list of views (N, C, H, W) of uint8, and
                ``data_samples``. With ``seeds``, (N,) int64, one view, the
                image.
            training (bool): Whether it is a batch to train on. Defaults to
                False.

        Returns:
            tuple: Views of float32, and the samples; under MMPretrain, a dict
            of ``inputs`` and ``data_samples``. Samples with only labels stay
            on the host.

        Raises:
            ValueError: If only one of loader and preprocessor is set to make
                views here, or if both make views.
        """
        seeded = isinstance(data, dict) and 'seeds' in data
        if seeded != (self.views is not None) and (seeded or training):
            raise ValueError(
                'PackSeededInputs of the loader and views of data_preprocessor'
                ' go together: set both, or leave both out')
        if seeded:
            data = self.make_views(data)
        if not self._enable_normalize or not self.takes(data):
            return super().forward(data, training)
        views = []
        for view in self.cast_data(data['inputs']):
            scale, shift = (
                value.expand(view.shape[1], 1, 1)
                for value in (self.scale, self.shift))
            views.append(
                normalize(view, scale, shift, self._channel_conversion))
        samples = data['data_samples']
        if not labels_alone(samples):
            samples = self.cast_data(samples)
        return join_batch(views, samples)

    def make_views(self, data: dict) -> dict:
        """Make the views of a batch of images, on the device.

        Args:
            data (dict): ``inputs``, a list of one batch of images
                (N, C, H, W), uint8, ``seeds``, (N,) int64, and
                ``data_samples``.

        Returns:
            dict: ``inputs``, a list of views (N, C, h, w), float32, and
            ``data_samples``.

        Raises:
            ValueError: If the loader packs more than one image.
        """
        count = len(data['inputs'])
        if count != 1:
            raise ValueError(
                'data_preprocessor makes the views of one image, but the '
                f'loader packs {count}: remove MultiView from the train '
                'pipeline')
        images, seeds = self.cast_data([*data['inputs'], data['seeds']])
        with no_autocast(images.device):
            views = self.views(images, seeds)
        return dict(inputs=views, data_samples=data['data_samples'])

    def takes(self, data: dict) -> bool:
        """Whether this class normalizes a batch, not the parent."""
        if not isinstance(data, dict) or \
                not {'inputs', 'data_samples'} <= data.keys():
            return False
        return all(self.takes_view(view) for view in data['inputs'])

    def takes_view(self, view: Tensor) -> bool:
        if view.ndim != 4 or view.requires_grad:
            return False
        channels = view.shape[1]
        if self._channel_conversion and channels != 3:
            return False
        return len(self.scale) in (1, channels)
