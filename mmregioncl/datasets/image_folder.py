import os
from collections import Counter
from pathlib import PurePath
from typing import List, Optional, Sequence, Union

from mmengine.dataset import BaseDataset
from mmengine.fileio import get_file_backend

from mmregioncl.registry import DATASETS


@DATASETS.register_module()
class ImageFolder(BaseDataset):
    """All images below a folder, at any depth, without labels.

    No annotation file is needed. Images are sorted by path, so that an index
    means the same image in every process and run. Hidden files and folders are
    skipped.

    Args:
        data_root (str): The folder, local (``~`` is the home folder) or in
            another backend of MMEngine.
        extensions (str or Sequence[str]): Extensions of image files, in upper
            or lower case, with or without a dot.
        **kwargs: Arguments of ``mmengine.dataset.BaseDataset``, such as
            pipeline and indices. ann_file, data_prefix and filter_cfg are not
            supported.
    """

    EXTENSIONS = ('.jpg', '.jpeg', '.png', '.webp', '.bmp', '.tif', '.tiff',
                  '.ppm', '.pgm')

    def __init__(self,
                 data_root: str,
                 extensions: Union[str, Sequence[str]] = EXTENSIONS,
                 **kwargs) -> None:
        for name in ('ann_file', 'data_prefix', 'filter_cfg'):
            if name in kwargs:
                raise TypeError(f'ImageFolder takes no {name}: it lists all '
                                'images below data_root')
        if isinstance(extensions, str):
            extensions = (extensions, )
        self.extensions = tuple(f'.{ending.lower().lstrip(".")}'
                                for ending in extensions)
        super().__init__(
            data_root=os.path.expanduser(data_root or ''), **kwargs)

    def load_data_list(self) -> List[dict]:
        """List the images.

        Sets ``found``, how many files have each extension.

        Returns:
            list[dict]: One dict with ``img_path`` for each image.

        Raises:
            FileNotFoundError: If the folder does not exist or has no images.
        """
        self.found: Counter = Counter()
        return [
            dict(img_path=path) for path in list_images(
                self.data_root, self.extensions, self.found)
        ]


def list_images(root: str,
                extensions: Sequence[str],
                found: Optional[Counter] = None) -> List[str]:
    """Return the sorted paths of all images below a folder.

    Args:
        root (str): The folder.
        extensions (Sequence[str]): Extensions of image files, in lower case.
        found (Counter, optional): Counts the extensions of all files that are
            not hidden. Defaults to None.

    Raises:
        FileNotFoundError: If the folder does not exist or has no images.
        OSError: If the folder cannot be listed.
    """
    backend = get_file_backend(root)
    if not backend.isdir(root):
        raise FileNotFoundError(
            f'data_root={root!r} is not a folder: set data_root of the data '
            'set (train_dataloader.dataset.data_root in the configs) to a '
            'folder of images')
    try:
        files = list(
            backend.list_dir_or_file(root, list_dir=False, recursive=True))
    except (OSError, RecursionError) as error:  # such as a loop of links
        raise OSError(f'cannot list data_root={root!r}: repair what is below '
                      f'it ({error})') from error
    if found is not None:
        found.update(suffix(path) for path in files if not is_hidden(path))
    paths = sorted(
        path for path in files
        if suffix(path) in extensions and not is_hidden(path))
    if not paths:
        raise FileNotFoundError(f'no image in data_root={root!r}: none of its '
                                f'files ends in {", ".join(extensions)}')
    return [backend.join_path(root, path) for path in paths]


def suffix(path: str) -> str:
    return PurePath(path).suffix.lower()


def is_hidden(path: str) -> bool:
    return any(part.startswith('.') for part in PurePath(path).parts)
