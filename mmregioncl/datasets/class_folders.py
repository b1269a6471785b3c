"""Data sets in labeled folders for which mmcls has no class."""
from pathlib import Path
from typing import List

from mmengine.dataset import BaseDataset
from mmengine.fileio import exists, get_text, isdir

from mmregioncl.files import printable
from mmregioncl.registry import DATASETS
from .archives import address
from .image_folder import ImageFolder, list_images

CLASS_LISTS = Path(__file__).parent / 'class_lists'


@DATASETS.register_module()
class ImageNetSubset(BaseDataset):
    """A subset of the classes of ImageNet-1k.

    Labels are the indices of the sorted class ids.

    Args:
        data_root (str): Folder with one folder per class, named by its id,
            such as ``imagenet/train``. It may be in a zip or a tar, as in
            ``imagenet.zip/train``.
        classes (str): ``'imagenet100'``, the list of `CMC
            <https://github.com/HobbitLong/CMC>`_, ``'imagenet200'``, the list
            of `ContrastiveCrop <https://github.com/xyupeng/ContrastiveCrop>`_,
            or a text file with one id per line.
        **kwargs: Arguments of ``mmengine.dataset.BaseDataset``.
    """

    def __init__(self, data_root: str, classes: str, **kwargs) -> None:
        packaged = CLASS_LISTS / f'{classes}.txt'
        path = str(packaged) if packaged.exists() else classes
        if not exists(path):
            known = ', '.join(sorted(p.stem for p in CLASS_LISTS.glob('*')))
            raise FileNotFoundError(f'classes={classes!r} is neither a file '
                                    f'nor one of {known}')
        ids = get_text(path).split()
        invalid = [name for name in ids if ids.count(name) > 1 or '/' in name]
        if invalid or not ids:
            raise ValueError(
                f'classes={classes!r} must list folders, each once, but has '
                f'{invalid[0] if invalid else "none"}')
        super().__init__(
            data_root=address(data_root),
            metainfo=dict(classes=tuple(sorted(ids))),
            **kwargs)

    def load_data_list(self) -> List[dict]:
        """List the images, as dicts with ``img_path`` and ``gt_label``."""
        root = printable(self.data_root)
        if not isdir(self.data_root):
            raise FileNotFoundError(
                f'data_root={root!r} is not a folder: set it to one with a '
                'folder for each class, or link the data there')
        for name in self.metainfo['classes']:
            if not exists(f'{self.data_root}/{name}'):
                raise FileNotFoundError(
                    f'data_root={root!r} has no folder {name}, which '
                    'the list of classes names')
        return [
            dict(img_path=path, gt_label=label)
            for label, name in enumerate(self.metainfo['classes']) for path in
            list_images(f'{self.data_root}/{name}', ImageFolder.EXTENSIONS)
        ]


@DATASETS.register_module()
class TinyImageNet(BaseDataset):
    """Tiny-ImageNet, 200 classes of 64x64 pixels, in its original layout.

    Args:
        data_root (str): Folder ``tiny-imagenet-200``.
        test_mode (bool): Whether to load the validation images. Defaults to
            False.
        **kwargs: Arguments of ``mmengine.dataset.BaseDataset``.
    """

    def load_data_list(self) -> List[dict]:
        """List the images, as dicts with ``img_path`` and ``gt_label``."""
        root = Path(self.data_root).expanduser()
        if not (root / 'wnids.txt').exists():
            raise FileNotFoundError(
                f'there is no {root / "wnids.txt"}: set data_root of '
                'TinyImageNet to the folder tiny-imagenet-200')
        names = sorted(set((root / 'wnids.txt').read_text().split()))
        if not self.test_mode:
            return [
                dict(img_path=path, gt_label=label)
                for label, name in enumerate(names) for path in list_images(
                    str(root / 'train' / name), ImageFolder.EXTENSIONS)
            ]
        lines = (root / 'val' / 'val_annotations.txt').read_text().split('\n')
        return [
            dict(
                img_path=str(root / 'val' / 'images' / file),
                gt_label=names.index(name))
            for file, name in (line.split('\t')[:2] for line in lines if line)
        ]
