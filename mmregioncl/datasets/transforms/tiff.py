"""Read TIFFs of any number of bands and any type."""
import math
from io import BytesIO
from typing import NamedTuple, Optional, Tuple, Union

import numpy as np

try:
    import tifffile
except ImportError:  # an extra: OpenCV reads TIFFs of up to 4 bands
    tifffile = None

STARTS = tuple(order + version
               for order, version in ((b'II', b'*\0'), (b'II', b'+\0'),
                                      (b'MM', b'\0*'), (b'MM', b'\0+')))
# Files in which tifffile may find the bands of an image in several pages
STACKS = ('shaped', 'lsm', 'mmstack', 'ome', 'imagej', 'ndtiff', 'fluoview',
          'sis')
MOST_PAGES = 1000  # which take 0.2 s to read


class TiffHeader(NamedTuple):
    """What a TIFF says about its first image."""
    page: 'tifffile.TiffPage'
    series: Union['tifffile.TiffPage', 'tifffile.TiffPageSeries']
    bands: int

    def is_misread(self, unchanged: bool = False) -> bool:
        """Whether OpenCV would read only a part of the data.

        Of several bands that are not colors it reads the first, and of signed
        numbers those above zero. It cannot make 8 bits of real numbers and of
        those with 32 bits.

        Args:
            unchanged (bool): Whether the values keep their type. Defaults to
                False.
        """
        kinds, kind = tifffile.PHOTOMETRIC, self.page.dtype
        other = not unchanged and kind is not None and (kind.kind not in 'bu'
                                                        or kind.itemsize > 2)
        return other or self.bands > 1 and self.page.photometric in (
            kinds.MINISBLACK, kinds.MINISWHITE)

    def has_fourth_band(self) -> bool:
        """Whether there is a fourth band, which is neither alpha nor ink.

        Such as near infrared. As gray or color, an image has the first three.
        """
        return self.bands == 4 and not self.has_alpha() and (
            self.page.photometric != tifffile.PHOTOMETRIC.SEPARATED)

    def has_more_images(self) -> bool:
        """Whether there are images after the first, the only one that is read.

        Reads another header at most. Overviews and masks do not count.
        """
        try:
            stacked, pages = 0, 1
            if self.series is not self.page:
                stacked = self.series.ndim - self.page.ndim
                pages = len(self.series)
            later = [
                size for axis, size in zip(self.series.axes[:stacked],
                                           self.series.shape) if axis != 'C'
            ]
            if math.prod(later) > 1:
                return True
            following = self.page.parent.pages[pages]
            reduced_or_mask = following.subfiletype & 5
            return not reduced_or_mask and following.offset != self.page.offset
        except Exception:  # there is none, or it is damaged
            return False

    def has_alpha(self) -> bool:
        kinds = tifffile.EXTRASAMPLE
        return not {kinds.ASSOCALPHA, kinds.UNASSALPHA}.isdisjoint(
            self.page.extrasamples)


def read_header(content: bytes) -> Optional[TiffHeader]:
    """The header of a TIFF.

    None for other files, without tifffile, and for damaged files, which are
    left to OpenCV.
    """
    if tifffile is None or not content.startswith(STARTS):
        return None
    try:
        file = tifffile.TiffFile(BytesIO(content))
        page, series = file.pages[0], first_series(file)
        bands = math.prod(size for axis, size in zip(series.axes, series.shape)
                          if axis in 'SC')
        return TiffHeader(page, series, bands)
    except Exception:  # damaged bytes may raise anything
        return None


def first_series(
    file: 'tifffile.TiffFile'
) -> Union['tifffile.TiffPage', 'tifffile.TiffPageSeries']:
    """The first page, or those that may be its bands, as of ImageJ.

    All pages are read for these, unless there are more than 1000.
    """
    if any(getattr(file, f'is_{kind}') for kind in STACKS):
        try:
            file.pages[MOST_PAGES]  # finds pages without reading them
        except IndexError:
            return file.series[0]
    return file.pages[0]


def read_tiff(header: TiffHeader, channels: int) -> Optional[np.ndarray]:
    """Decode the first image of a TIFF.

    Args:
        header (TiffHeader): From :func:`read_header`.
        channels (int): The number that is wanted.

    Returns:
        np.ndarray or None: Shape (H, W, C) of any type. None for palettes,
        YCbCr and turned images, and for CMYK that is to become gray or
        color, which are left to OpenCV.
    """
    page, kinds = header.page, tifffile.PHOTOMETRIC
    plain = {kinds.MINISBLACK, kinds.MINISWHITE, kinds.RGB}
    if channels not in (1, 3):
        plain.add(kinds.SEPARATED)
    if page.tags.valueof('Orientation', 1) != 1 or \
            page.photometric not in plain:
        return None
    values, axes = first_image(header.series)
    for axis in reversed(range(len(axes))):  # the first of a volume
        if axes[axis] not in 'YXSC':
            values = values.take(0, axis)
            axes = axes[:axis] + axes[axis + 1:]
    # One file may have samples and channels.
    order = [axes.index(axis) for axis in 'YXCS' if axis in axes]
    values = values.transpose(order)
    values = values.reshape(*values.shape[:2], -1)  # (H, W, C)
    if channels in (1, 3) and values.shape[2] == 2 and header.has_alpha():
        values = values[..., :1]
    if page.photometric == kinds.MINISWHITE and values.dtype.kind == 'b':
        values = ~values
    elif page.photometric == kinds.MINISWHITE and values.dtype.kind == 'u':
        values = values.dtype.type(2**page.bitspersample - 1) - values
    return values


def first_image(
    series: Union['tifffile.TiffPage', 'tifffile.TiffPageSeries']
) -> Tuple[np.ndarray, str]:
    """Decode the first image of a stack, without the others.

    Returns:
        tuple[np.ndarray, str]: Its values, and tifffile's names of their axes.
    """
    if isinstance(series, tifffile.TiffPage):
        return series.asarray(), series.axes
    page = series[0]
    stacked = series.axes[:series.ndim - page.ndim]  # axes of the pages
    if 'C' not in stacked:
        return page.asarray(), page.axes
    if series.is_truncated:  # whose later images have no page
        return series.asarray(), series.axes
    pages = np.arange(len(series)).reshape(series.shape[:len(stacked)])
    first = pages[tuple(slice(None) if axis == 'C' else 0
                        for axis in stacked)].tolist()
    values = series.asarray(key=first)
    return values.reshape(len(first), *page.shape), f'C{page.axes}'
