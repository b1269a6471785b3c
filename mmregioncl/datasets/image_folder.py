import codecs
import logging
import os
import posixpath
from collections import Counter
from typing import Iterator, List, Optional, Sequence, Union
from urllib.parse import quote

from mmengine.dataset import BaseDataset
from mmengine.dist import is_main_process
from mmengine.fileio import (BaseStorageBackend, LocalBackend, get,
                             get_file_backend)
from mmengine.logging import print_log
from mmengine.utils import is_abs

from mmregioncl.files import printable
from mmregioncl.registry import DATASETS
from . import object_store  # noqa: F401: registers a backend
from .archives import address, archive_of
from .packed import PackedStrings

NOWHERE = ' (broken link)'  # follows the name of such a link


class ImageInfos(Sequence):
    """Data infos of images, of which only the paths are stored.

    Args:
        root (str): Where the images are.
        names (PackedStrings): Their paths below it.
    """

    def __init__(self, root: str, names: PackedStrings) -> None:
        self.root = root
        self.names = names
        # Its index goes with the paths to workers that are spawned.
        self.archive = archive_of(root)

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index):
        """Return a dict with ``img_path``, or the infos of a slice."""
        if isinstance(index, slice):
            return ImageInfos(self.root, self.names[index])
        return dict(img_path=join(self.root, self.names[index]))


@DATASETS.register_module()
class ImageFolder(BaseDataset):
    """All images below a folder or in an archive, without labels.

    No annotation file is needed. Images are sorted by path, so that an index
    means the same image in every process and run. Hidden files and folders are
    skipped. A million paths take as much memory as their characters, once for
    all workers that are forked.

    Args:
        data_root (str): The folder, local (``~`` is the home folder) or in
            another backend of MMEngine; or a zip or an uncompressed tar, or a
            folder in it, such as ``data.zip/train``.
        ann_file (str): A text file with one path below `data_root` per line:
            the images, in this order. The file itself is below `data_root` if
            its path is not absolute. Defaults to '', all images.
        extensions (str or Sequence[str]): Extensions of image files, in upper
            or lower case, with or without a dot.
        backend_args (dict, optional): Arguments of the backend that lists the
            images. To read them, ``LoadImage`` has its own.
            Defaults to None, chosen by the prefix of `data_root`.
        **kwargs: Arguments of ``mmengine.dataset.BaseDataset``, such as
            pipeline and indices. data_prefix, filter_cfg and serialize_data
            are not supported.
    """

    EXTENSIONS = ('.jpg', '.jpeg', '.png', '.webp', '.bmp', '.tif', '.tiff',
                  '.ppm', '.pgm')

    def __init__(self,
                 data_root: str = '',
                 ann_file: str = '',
                 extensions: Union[str, Sequence[str]] = EXTENSIONS,
                 backend_args: Optional[dict] = None,
                 **kwargs) -> None:
        for name in ('data_prefix', 'filter_cfg', 'serialize_data', 'split'):
            if name in kwargs:
                raise TypeError(
                    f'ImageFolder does not support {name}: it reads all '
                    'images below data_root, or those in '
                    'ann_file, and stores only paths')
        if isinstance(extensions, str):
            extensions = (extensions, )
        self.extensions = tuple(f'.{ending.lower().lstrip(".")}'
                                for ending in extensions)
        self.backend_args = backend_args
        super().__init__(
            data_root=address(data_root or ''),
            ann_file=ann_file,
            data_prefix={},
            serialize_data=False,
            **kwargs)

    def _join_prefix(self) -> None:
        """Find ann_file; MMEngine's own search does not support addresses."""
        if self.ann_file and not is_abs(self.ann_file):
            self.ann_file = join(self.data_root, self.ann_file)
        self.ann_file = address(self.ann_file)

    def get_cat_ids(self, idx: int) -> List[int]:
        """Refuse to balance classes.

        Raises:
            ValueError: In any case: there are no labels.
        """
        raise ValueError('ImageFolder has no labels, which '
                         'ClassBalancedDataset needs: use '
                         'mmregioncl.CustomDataset')

    def load_data_list(self) -> ImageInfos:
        """List the images.

        Sets ``found``, how many files have each extension.

        Returns:
            ImageInfos: One dict with ``img_path`` for each image.

        Raises:
            FileNotFoundError: If the folder does not exist or has no images.
            ValueError: If `ann_file` lists something that is not an image.
        """
        self.found: Counter = Counter()
        if self.ann_file:
            names = read_names(self.ann_file, self.extensions,
                               self.backend_args)
        else:
            names = list_names(self.data_root, self.extensions,
                               self.backend_args, self.found)
        return ImageInfos(self.data_root, PackedStrings(names))


def list_names(root: str,
               extensions: Sequence[str],
               backend_args: Optional[dict] = None,
               found: Optional[Counter] = None) -> List[str]:
    """Return the sorted paths of all images below a folder, without it.

    Args:
        root (str): The folder, from :func:`address`.
        extensions (Sequence[str]): Extensions of image files, in lower case.
        backend_args (dict, optional): Arguments of MMEngine's backend.
        found (Counter, optional): Counts the extensions of all files that are
            not hidden. Defaults to None.

    Raises:
        FileNotFoundError: If the folder does not exist or has no images.
        OSError: If the folder cannot be listed.
        ValueError: If the backend lists no files, or is not known.
    """
    shown = printable(root)
    try:
        backend = get_file_backend(root, backend_args=backend_args)
    except KeyError as error:
        raise ValueError(
            f'data_root={shown!r} begins with {error}, which MMEngine does not'
            " know: set backend_args=dict(backend='mmregioncl.fsspec') of "
            'ImageFolder and of LoadImage') from error
    if not hasattr(backend, 'list_dir_or_file'):
        raise ValueError(f'data_root={shown!r} cannot be listed, as on a web '
                         'server: name its images in ann_file, a text file '
                         'with one path per line')
    if not backend.isdir(root):
        raise FileNotFoundError(
            f'data_root={shown!r} is not a folder: set data_root of the data '
            'set (train_dataloader.dataset.data_root in the configs) to a '
            'folder of images, a zip or a tar')
    try:
        files = list(file_names(root, backend))
    except (OSError, RecursionError) as error:  # such as a loop of links
        raise OSError(f'cannot list data_root={shown!r}: repair what is below '
                      f'it ({error})') from error
    if found is not None:
        found.update(map(extension, files))
    names = sorted(name for name in files if extension(name) in extensions)
    if not names:
        lost = sum(name.endswith(NOWHERE) for name in files)
        raise FileNotFoundError(
            f'no image in data_root={shown!r}: none of its '
            f'files ends in {", ".join(extensions)}' +
            f', and {lost} link(s) are broken' * (lost > 0))
    return names


def file_names(root: str, backend: BaseStorageBackend) -> Iterator[str]:
    """Yield the paths of all files below a folder that are not hidden."""
    # MMEngine's local backend takes several times as long.
    files = walk(root) if type(backend) is LocalBackend else \
        backend.list_dir_or_file(root, list_dir=False, recursive=True)
    return (name for name in files
            if not name.startswith('.') and '/.' not in name)


def has_image(root: str) -> bool:
    """Whether there is an image below a folder, from :func:`address`."""
    return any(
        extension(name) in ImageFolder.EXTENSIONS
        for name in file_names(root, get_file_backend(root)))


def list_images(root: str, extensions: Sequence[str]) -> List[str]:
    """Return the sorted paths of all images below a folder.

    Args:
        root (str): The folder, from :func:`address`.
        extensions (Sequence[str]): Extensions of image files, in lower case.
    """
    return [join(root, name) for name in list_names(root, extensions)]


def walk(root: str, folder: str = '') -> Iterator[str]:
    """Yield the paths of all files below a folder that are not hidden.

    Broken links are marked, so that they count as other files.
    """
    with os.scandir(os.path.join(root, folder)) as entries:
        for entry in entries:
            if entry.name.startswith('.'):
                continue
            if entry.is_dir():
                yield from walk(root, f'{folder}{entry.name}/')
            elif entry.is_file():
                yield f'{folder}{entry.name}'
            elif entry.is_symlink():
                yield f'{folder}{entry.name}{NOWHERE}'


def read_names(path: str,
               extensions: Sequence[str],
               backend_args: Optional[dict] = None) -> List[str]:
    """Read the paths of images from a text file with one per line.

    Raises:
        ValueError: If there is none, or a line is not an image.
    """
    content = get(path, backend_args=backend_args)
    path = printable(path)
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise ValueError(f'ann_file={path!r} is UTF-16, as PowerShell writes: '
                         'save it as UTF-8')
    content = content.removeprefix(codecs.BOM_UTF8)  # of Windows, too
    lines = content.decode('utf-8', 'surrogateescape').split('\n')
    names = [line.removesuffix('\r') for line in lines if line.strip()]
    for name in names:
        if extension(name) not in extensions:
            raise ValueError(
                f'ann_file={path!r} has the line {name!r}: write one path per '
                'line, without a label, that ends in '
                f'{", ".join(extensions)}')
    if not names:
        raise ValueError(
            f'ann_file={path!r} is empty: write one path per line')
    repeated = len(names) - len({*names})
    if repeated and is_main_process():
        print_log(
            f'ann_file={path!r} has {repeated} line(s) that repeat others: '
            'remove them, unless they should be sampled more often', 'current',
            logging.WARNING)
    return names


def extension(name: str) -> str:
    """The extension of a file in lower case, with its dot."""
    return os.path.splitext(name)[1].lower()


def join(root: str, name: str) -> str:
    """The path or address of an image.

    Args:
        root (str): A folder, or the address of one.
        name (str): Path below it. An absolute one, or an address, is kept.
    """
    if '://' in name:
        return name
    if root.startswith(('http://', 'https://')):
        # An address may have been quoted before; file names may not be UTF-8.
        name = quote(name, safe='/%', errors='surrogateescape')
    return (posixpath if '://' in root else os.path).join(root, name)
