"""Check that images exist, and which values they have."""
import logging
from contextlib import suppress
from copy import copy
from typing import Iterator, List, Tuple

from mmcv.transforms import BaseTransform
from mmengine import fileio
from mmengine.logging import print_log

from mmregioncl.datasets.archives import is_missing
from mmregioncl.datasets.measure import lost_shades, sample_files
from mmregioncl.datasets.nested import innermost
from mmregioncl.datasets.transforms.tiff import TiffHeader, read_header
from mmregioncl.files import printable


def check_images(dataset, setting: str = 'train_dataloader') -> None:
    """Check that annotated images exist.

    Looks for the first, middle and last image of each innermost data set.

    Args:
        dataset (Dataset): The data set, with its wrappers.
        setting (str): Its setting. Defaults to 'train_dataloader'.

    Raises:
        FileNotFoundError: If an image does not exist.
    """
    for part in innermost(dataset):
        # A data set of PyTorch has no data infos.
        if not hasattr(part, 'get_data_info') or not len(part):
            continue
        indices = getattr(part, '_indices', None)
        if isinstance(indices, int) and abs(indices) > len(part):
            print_log(
                f'indices={indices} of {setting} are more than its {len(part)}'
                ' images: all are taken', 'current', logging.WARNING)
        paths = [
            part.get_data_info(index).get('img_path')
            for index in (0, len(part) // 2, len(part) - 1)
        ]
        missing = [
            path for path in paths
            if isinstance(path, str) and is_missing(path)
        ]
        if not missing:
            continue
        if {*missing} < {*paths}:
            place = getattr(part, 'ann_file', '') or f'the list in {setting}'
            raise FileNotFoundError(
                f'{place} lists {printable(missing[0])}, which does not exist,'
                ' while other images do: correct the list, or add the '
                'image')
        raise FileNotFoundError(
            f'the annotations name {printable(missing[0])}, which does not '
            f'exist: set data_root or data_prefix of the data set in {setting}'
        )


def check_training_images(runner) -> None:
    """Check that annotated images of the training set exist."""
    check_images(runner.train_dataloader.dataset)


def check_depth(runner) -> None:
    """Check that images can be read, and that no values are lost.

    Looks at a few images of each innermost data set. Warns if integers use
    less than a tenth of the range of their type, and if bands are left out.

    Raises:
        ValueError: If none can be read.
    """
    reasons: List[str] = []
    notes: List[str] = []
    samples: List[Tuple[BaseTransform, bytes]] = []
    files = [*sample_files(runner.train_dataloader.dataset, 8)]
    for load, path in files:
        load = copy(load)
        load.on_corrupt = 'raise'
        try:
            load(dict(img_path=path))
        except Exception as error:  # decoders may raise anything
            reasons.append(f'{printable(path)}: {error.__cause__ or error}' +
                           ('' if is_ours(load) else other_type(load)))
            continue
        with suppress(Exception):  # other transforms may read other files
            content = fileio.get(
                path, backend_args=getattr(load, 'backend_args', None))
            samples.append((load, content))
            header = read_header(content)
            if header is not None and not notes:  # one warning
                notes += bands_left_out(load, printable(path), header)
    if reasons and len(reasons) == len(files):
        raise ValueError(f'none of {len(files)} images that were tried can be '
                         f'read, such as {reasons[0]}')
    for note in (*notes, *lost_shades(samples, 'train_dataloader')):
        runner.logger.warning(note)


def bands_left_out(load: BaseTransform, path: str,
                   header: TiffHeader) -> Iterator[str]:
    """Yield a warning if a TIFF has bands that are not loaded.

    Args:
        load (BaseTransform): The transform that loads it.
        path (str): Path for the message.
        header (TiffHeader): Header of the file.
    """
    fourth = header.has_fourth_band()
    if is_ours(load) and fourth and load.channels in (1, 3):
        yield (f'{path} has 4 bands, and channels={load.channels} of LoadImage'
               ' leaves out the last: set it to 4')
    if not is_ours(load) and getattr(load, 'imdecode_backend', '') == 'cv2':
        unchanged = load.color_type == 'unchanged'
        if fourth and not unchanged or header.is_misread(unchanged):
            yield (f'{type(load).__name__} does not read all of {path}'
                   f'{other_type(load)}')


def is_ours(load: BaseTransform) -> bool:
    """Whether a transform is a ``LoadImage``."""
    return hasattr(load, 'channels')


def other_type(load: BaseTransform) -> str:
    return f': set the type of {type(load).__name__} to mmregioncl.LoadImage'
