"""Depth, bands and values of the images of a data set."""
from collections import Counter
from contextlib import suppress
from typing import Dict, Iterable, Iterator, List, Optional, Sequence, Tuple

import numpy as np
from mmcv.transforms import BaseTransform
from mmengine import fileio
from mmengine.dataset import BaseDataset

from .nested import innermost
from .transforms import is_loading, steps_of
from .transforms.bands import Ranges, fit_bands, read_values, to_bytes
from .transforms.tiff import read_header

PIXELS = 10_000  # of an image, spread evenly


def sample_files(dataset: BaseDataset, count: int) -> Iterator[tuple]:
    """Yield some image files of a data set, spread evenly.

    Args:
        dataset (BaseDataset): With or without wrappers.
        count (int): Number of files from each innermost data set.

    Yields:
        tuple[BaseTransform, str]: The transform that loads the file, and its
        path. Data sets with images in memory have none.
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
    """Sample the values of images as stored in their files.

    Files that cannot be read are left out, as in training.

    Args:
        dataset (BaseDataset): With image files.
        channels (int): See ``mmregioncl.LoadImage``.
        count (int): Number of images.

    Returns:
        tuple: Values (N, channels), in the order of the files, and the number
        of images of each kind, such as ``{'of type uint16, 1 band(s)': 500}``.

    Raises:
        ValueError: If there are no files, or none can be read, or one has
            other bands.
    """
    found: List[np.ndarray] = []
    kinds: Counter = Counter()
    unread = None
    for load, path in sample_files(dataset, count):
        try:
            content = fileio.get(path, backend_args=load.backend_args)
            values = read_values(content, channels, read_header(content))
        except Exception as error:  # decoders may raise anything
            unread = unread or (path, error)
            kinds[f'that cannot be read, such as {unread[0]}'] += 1
            continue
        kinds[f'of type {values.dtype}, {values.shape[2]} band(s)'] += 1
        try:
            found.append(some_pixels(fit_bands(values, channels)))
        except ValueError as error:
            raise ValueError(f'cannot measure {path}: {error}') from error
    if unread and not found:
        raise ValueError(f'cannot measure {unread[0]}: {unread[1]}')
    if not found:
        raise ValueError('the data set holds its images in memory, with 8 bits'
                         ': there are no files to measure')
    return np.concatenate(found), dict(kinds.most_common())


def value_range(values: np.ndarray,
                percentiles: Sequence[float]) -> Optional[Ranges]:
    """Range of the values of each band, one for gray and color.

    Args:
        values (np.ndarray): Shape (N, C).
        percentiles (Sequence[float]): The lower and the upper, from 0 to 100.

    Returns:
        Ranges or None: Value range of ``mmregioncl.LoadImage``; None if 8-bit
        images need none.

    Raises:
        ValueError: If all values of a band are the same.
    """
    if values.dtype == np.uint8 and uses_range(values.min(), values.max()):
        return None
    pairs = [
        np.percentile(row, percentiles).tolist()
        for row in finite_bands(values)
    ]
    for number, (low, high) in enumerate(pairs):
        if not low < high:
            raise ValueError(f'band {number} has the value {low} nearly '
                             'everywhere: use wider percentiles')
    ranges = [tuple(float(f'{edge:.6g}') for edge in pair) for pair in pairs]
    return ranges[0] if len(ranges) == 1 else tuple(ranges)


def finite_bands(values: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the finite values (N, C) of each band, those of colors together.

    Raises:
        ValueError: If a band has none.
    """
    rows = values.T if values.shape[1] not in (1, 3) else values.reshape(1, -1)
    for number, row in enumerate(rows):
        row = row.astype(np.float64)
        row = row[np.isfinite(row)]
        if not row.size:
            raise ValueError(f'band {number} has no finite values: leave such '
                             'images out')
        yield row


def find_fill(
        values: np.ndarray,
        percentiles: Sequence[float]) -> Iterator[Tuple[int, float, float]]:
    """Find edges of value ranges that may mark pixels without data.

    Each is as far from all other values as these are from each other.

    Args:
        values (np.ndarray): Shape (N, C).
        percentiles (Sequence[float]): See :func:`value_range`.

    Yields:
        tuple[int, float, float]: Number of the band, the value, and the share
        of the pixels that have it.
    """
    for number, row in enumerate(finite_bands(values)):
        levels, counts = np.unique(row, return_counts=True)
        gaps = np.diff(levels)
        if len(levels) < 3:
            continue
        for end, edge in zip((0, -1), np.percentile(row, percentiles)):
            if edge == levels[end] and 2 * gaps[end] >= gaps.sum():
                yield number, edge, counts[end] / row.size


def uses_range(low: np.generic, high: np.generic) -> bool:
    """Whether integers use at least a tenth of the range of their type."""
    if low.dtype.kind not in 'ui':
        return True
    limits = np.iinfo(low.dtype)
    return int(high) - int(low) >= (limits.max - limits.min) / 10


def read_samples(dataset: BaseDataset,
                 count: int) -> Iterator[Tuple[BaseTransform, bytes]]:
    """Yield the content of those of :func:`sample_files` that can be read."""
    for load, path in sample_files(dataset, count):
        with suppress(Exception):  # other transforms may read other files
            yield load, fileio.get(
                path, backend_args=getattr(load, 'backend_args', None))


def lost_shades(samples: Iterable[Tuple[BaseTransform, bytes]],
                setting: str) -> Iterator[str]:
    """Yield a warning for each type of which images use little of the range.

    Images that are not converted to 8 bits by their type are left out.

    Args:
        samples (Iterable[tuple]): As from :func:`read_samples`.
        setting (str): What they belong to, such as 'train_dataloader'.
    """
    spans: Dict[np.dtype, np.ndarray] = {}
    for load, content in samples:
        if getattr(load, 'value_range', None) is None and \
                getattr(load, 'color_type', 'color') != 'unchanged':
            with suppress(Exception):  # decoders may raise anything
                note_span(spans, load, content)
    for kind, (low, high) in spans.items():
        if not uses_range(low, high):
            limits = np.iinfo(kind)
            yield (
                f'images of type {kind} of {setting} have values from {low} to'
                f' {high}, of {limits.min} to {limits.max}, so 8 bits keep '
                'few gray levels: set value_range of mmregioncl.LoadImage to '
                'what tools/analysis_tools/measure_images.py prints')


def note_span(spans: Dict[np.dtype, np.ndarray], load: BaseTransform,
              content: bytes) -> None:
    """Extend the range of values of a type by an image."""
    channels = getattr(load, 'channels', 3)
    values = fit_bands(
        read_values(content, channels, read_header(content)), channels)
    known = spans.get(values.dtype, values)
    spans[values.dtype] = np.array(
        [min(known.min(), values.min()),
         max(known.max(), values.max())], values.dtype)


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
