"""Depth, bands and values of the images of a data set."""
from collections import Counter
from typing import Dict, Iterator, List, Optional, Sequence, Tuple

import numpy as np
from mmengine import fileio
from mmengine.dataset import BaseDataset

from .nested import innermost
from .transforms import is_loading, steps_of
from .transforms.bands import Ranges, fit_bands, read_values, to_bytes

PIXELS = 10_000  # of an image, spread evenly


def sample_files(dataset: BaseDataset, count: int) -> Iterator[tuple]:
    """Yield some image files of a data set, spread evenly.

    Args:
        dataset (BaseDataset): With or without wrappers.
        count (int): Number of files from each innermost data set.

    Yields:
        tuple[BaseTransform, str]: The transform that loads the file, and its
        path. Data sets that hold their images have none.
    """
    for part in innermost(dataset):
        load = next(
            filter(is_loading, steps_of(getattr(part, 'pipeline', None))),
            None)
        if load is None:
            continue
        rows = np.linspace(0, len(part) - 1, min(count, len(part)))
        for row in rows.round().astype(int).tolist():
            path = part.get_data_info(row).get('img_path')
            if isinstance(path, str):
                yield load, path


def some_pixels(values: np.ndarray) -> np.ndarray:
    """Some pixels of an image (H, W, C), as (N, C)."""
    pixels = values.reshape(-1, values.shape[2])
    return pixels[::-(-len(pixels) // PIXELS)]


def measure_values(dataset: BaseDataset, channels: int,
                   count: int) -> Tuple[np.ndarray, Dict[str, int]]:
    """Sample the values of images as their files hold them.

    Args:
        dataset (BaseDataset): With image files.
        channels (int): See ``mmregioncl.LoadImage``.
        count (int): Number of images.

    Returns:
        tuple: Values (N, channels), in the order of the files, and the number
        of images by type and bands, such as ``{'uint16, 1 band(s)': 500}``.

    Raises:
        ValueError: If there are no files, or one cannot be read, or has other
            bands.
    """
    found: List[np.ndarray] = []
    kinds: Counter = Counter()
    for load, path in sample_files(dataset, count):
        try:
            content = fileio.get(path, backend_args=load.backend_args)
            values = read_values(content, channels)
            kinds[f'{values.dtype}, {values.shape[2]} band(s)'] += 1
            found.append(some_pixels(fit_bands(values, channels)))
        except (OSError, ValueError) as error:
            raise ValueError(f'cannot measure {path}: {error}') from error
    if not found:
        raise ValueError('the data set holds its images in memory, with 8 bits'
                         ': there are no files to measure')
    return np.concatenate(found), dict(kinds.most_common())


def value_range(values: np.ndarray,
                percentiles: Sequence[float]) -> Optional[Ranges]:
    """Range of the values of each band, one for gray and colour.

    Args:
        values (np.ndarray): Shape (N, C).
        percentiles (Sequence[float]): The lower and the upper, from 0 to 100.

    Returns:
        Ranges or None: Value range of ``mmregioncl.LoadImage``; None if 8-bit
        images need none.

    Raises:
        ValueError: If all values of a band are the same.
    """
    if values.dtype == np.uint8 and uses_range(values):
        return None
    bands = values.shape[1]
    rows = values.T if bands not in (1, 3) else values.reshape(1, -1)
    pairs = [np.nanpercentile(row, percentiles).tolist() for row in rows]
    for number, (low, high) in enumerate(pairs):
        if not low < high:
            raise ValueError(f'band {number} has the value {low} nearly '
                             'everywhere: take wider percentiles')
    ranges = [tuple(float(f'{edge:.6g}') for edge in pair) for pair in pairs]
    return ranges[0] if len(ranges) == 1 else tuple(ranges)


def uses_range(values: np.ndarray) -> bool:
    """Whether integers use at least a tenth of the range of their type."""
    return values.dtype.kind not in 'ui' or \
        values.max() >= np.iinfo(values.dtype).max / 10


def mean_and_std(values: np.ndarray,
                 ranges: Optional[Ranges]) -> Tuple[List[float], List[float]]:
    """Mean and standard deviation of each band, as bytes from 0 to 255.

    Args:
        values (np.ndarray): Shape (N, C).
        ranges (Ranges, optional): See ``mmregioncl.LoadImage``.
    """
    pixels = to_bytes(values[None], ranges)[0]  # (N, C)
    return tuple([round(float(value), 3) for value in statistic]
                 for statistic in (pixels.mean(0), pixels.std(0)))
