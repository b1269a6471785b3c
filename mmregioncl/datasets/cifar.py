from io import BytesIO
from typing import List

import cv2
import numpy as np
from mmengine.fileio import exists, get, join_path

from mmregioncl import host
from mmregioncl.registry import DATASETS

if host.NAME == 'mmselfsup':
    from mmcls import datasets as parents
else:
    from mmpretrain import datasets as parents


class CIFARMixin:
    """CIFAR from the official pickles or from an archive of JPEG bytes.

    Images are BGR, as if loaded from files. The host has them in RGB, but the
    color transforms and preprocessors of the OpenMMLab bases expect BGR.

    An archive ``train.npz`` or ``test.npz`` in ``data_prefix`` is preferred.
    It has ``jpeg``, the concatenated bytes of all images (uint8), ``offset``
    (int64), so that image i is ``jpeg[offset[i]:offset[i + 1]]``, and
    ``labels`` (int64).

    Args:
        data_prefix (str): Folder of the archives, or of the official
            ``cifar-10-batches-py`` or ``cifar-100-python``.
        test_mode (bool): Whether to load the test images. Defaults to False.
        download (bool): Whether to download the official data if it is
            missing. Defaults to False.
        **kwargs: Arguments of the host's class.
    """

    def __init__(self,
                 data_prefix: str,
                 test_mode: bool = False,
                 download: bool = False,
                 **kwargs) -> None:
        if host.NAME == 'mmpretrain':  # which has two settings for it
            kwargs.setdefault('split', 'test' if test_mode else 'train')
            test_mode = kwargs['split'] == 'test'
        super().__init__(
            data_prefix=data_prefix,
            test_mode=test_mode,
            download=download,
            **kwargs)

    def load_data_list(self) -> List[dict]:
        """List the images.

        Returns:
            list[dict]: Dicts with ``img``, (32, 32, 3) uint8 BGR, and
            ``gt_label``.
        """
        archive = join_path(self.data_prefix['root'],
                            'test.npz' if self.test_mode else 'train.npz')
        if exists(archive):
            return load_archive(archive)
        return [
            dict(sample, img=np.ascontiguousarray(sample['img'][..., ::-1]))
            for sample in super().load_data_list()
        ]


@DATASETS.register_module()
class CIFAR10(CIFARMixin, parents.CIFAR10):
    __doc__ = CIFARMixin.__doc__


@DATASETS.register_module()
class CIFAR100(CIFARMixin, parents.CIFAR100):
    __doc__ = CIFARMixin.__doc__


def load_archive(path: str) -> List[dict]:
    """Decode an archive of JPEG bytes to a list of samples.

    Raises:
        ValueError: If an image is broken or a label is missing.
    """
    with np.load(BytesIO(get(path)), allow_pickle=False) as archive:
        jpeg, offset = archive['jpeg'], archive['offset']
        labels = archive['labels'].tolist()
    images = [
        cv2.imdecode(jpeg[start:stop], cv2.IMREAD_COLOR)
        for start, stop in zip(offset[:-1], offset[1:])
    ]
    broken = [index for index, image in enumerate(images) if image is None]
    if broken or len(images) != len(labels):
        raise ValueError(
            f'{path} has {len(images)} images, {len(broken)} of them broken,'
            f' and {len(labels)} labels: create it again')
    return [
        dict(img=image, gt_label=label)
        for image, label in zip(images, labels)
    ]
