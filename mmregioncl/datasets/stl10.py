from pathlib import Path
from typing import Dict, List, Sequence

import numpy as np
from mmengine.dataset import BaseDataset

from mmregioncl.registry import DATASETS

SHAPE = (3, 96, 96)  # channels in RGB, columns, rows


@DATASETS.register_module()
class STL10(BaseDataset):
    """STL-10, memory-mapped from its binary files.

    The 105,000 images for pre-training take 2.9 GB as arrays. With a memory
    map all workers share the system's page cache.

    Args:
        data_root (str): Folder ``stl10_binary``, with ``train_X.bin`` etc.
        splits (Sequence[str]): A subset of 'train', 'test' and 'unlabeled'.
            Defaults to ('train', 'unlabeled'), the images for pre-training.
        **kwargs: Arguments of ``mmengine.dataset.BaseDataset``.
    """

    def __init__(self,
                 data_root: str,
                 splits: Sequence[str] = ('train', 'unlabeled'),
                 **kwargs) -> None:
        self.splits = (splits, ) if isinstance(splits, str) else splits
        self.maps: Dict[str, np.ndarray] = {}
        super().__init__(data_root=data_root, **kwargs)

    def __getstate__(self) -> dict:
        """Exclude the memory maps: spawned workers open their own."""
        return dict(self.__dict__, maps={})

    def load_data_list(self) -> List[dict]:
        """List the images.

        Returns:
            list[dict]: Dicts with ``split``, ``row`` in the file of the split,
            and ``gt_label`` from 0 on (-1 if there is no label).

        Raises:
            FileNotFoundError: If a file is missing.
            ValueError: If a file is truncated or labels are missing.
        """
        return [
            dict(split=split, row=row, gt_label=int(label))
            for split in self.splits
            for row, label in enumerate(self.load_labels(split))
        ]

    def load_labels(self, split: str) -> np.ndarray:
        """Return the labels of a split, (N,), from 0 on, or -1 for none."""
        images = self.path(split, 'X')
        count, rest = divmod(images.stat().st_size, int(np.prod(SHAPE)))
        if rest or not count:
            raise ValueError(f'{images} does not hold whole images of 96x96 '
                             'pixels: download it again')
        if split == 'unlabeled':
            return np.full(count, -1)
        labels = np.fromfile(self.path(split, 'y'), np.uint8)
        if len(labels) != count:
            raise ValueError(f'{self.path(split, "y")} has {len(labels)} '
                             f'labels for {count} images: download both again')
        return labels.astype(int) - 1

    def path(self, split: str, part: str) -> Path:
        """Return the file of the images ('X') or labels ('y') of a split."""
        path = Path(self.data_root).expanduser() / f'{split}_{part}.bin'
        if not path.exists():
            raise FileNotFoundError(
                f'there is no {path}: set data_root of STL10 to the folder '
                "stl10_binary, and splits to some of 'train', 'test' and "
                "'unlabeled'")
        return path

    def get_data_info(self, idx: int) -> dict:
        """Add ``img``, (96, 96, 3) uint8 BGR, to a sample."""
        info = super().get_data_info(idx)
        split = info['split']
        if split not in self.maps:
            self.maps[split] = np.memmap(self.path(split, 'X'), np.uint8,
                                         'r').reshape(-1, *SHAPE)
        pixels = self.maps[split][info['row']]  # (3, 96, 96)
        info['img'] = np.ascontiguousarray(
            pixels.transpose(2, 1, 0)[..., ::-1])
        return info
