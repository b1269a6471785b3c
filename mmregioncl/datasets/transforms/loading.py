import logging
import math
import struct
import warnings
import zlib
from io import BytesIO
from typing import Optional

import cv2
import mmcv
import numpy as np
import torch
from mmcv.transforms import LoadImageFromFile
from mmengine import fileio
from mmengine.logging import print_log
from PIL import Image

from mmregioncl.files import printable
from mmregioncl.registry import TRANSFORMS
from mmregioncl.validation import check_whole_number
from ..archives import ArchiveChanged
from .bands import (UNREADABLE, Ranges, UnfitImage, check_value_range,
                    read_image)
from .tiff import TiffHeader, read_header

MOST_PIXELS = 178_956_970  # of an image; Pillow refuses more, too
PNG_START = b'\x89PNG'
# Of Radiance HDR, PFM and PAM, whose headers Pillow does not read
UNKNOWN_STARTS = (b'#?RADIANCE', b'#?RGBE', b'PF', b'Pf', b'P7')

try:
    import simplejpeg
except ImportError:  # no wheel for this platform: OpenCV decodes
    simplejpeg = None


@TRANSFORMS.register_module()
class LoadImage(LoadImageFromFile):
    """Load an image with 8 bits, and skip or report corrupt files.

    Plain JPEGs are decoded by simplejpeg, slightly faster than by OpenCV and
    to the same pixels. Grayscale, palette, CMYK and 16-bit images are
    converted to 8-bit BGR. Alpha is dropped. A skipped file is replaced by
    another image, drawn at random, and logged once. If too many are
    skipped, an error ends the run.

    Args:
        channels (int): 3 for BGR, 1 for gray. Any other number has to be that
            of the bands in the files, which keep their order; those of TIFFs
            need the package tifffile. Defaults to 3.
        value_range (tuple, optional): The values that become 0 and 255, such
            as ``(0, 4095)`` for 12 bits in a 16-bit file, or a pair for each
            band in the order of the file. Values between are mapped linearly,
            others are clipped. Defaults to None, the range of the type: 0 to
            255 or 65535. Images of real numbers need a range.
        on_corrupt (str): 'skip' or 'raise'. Defaults to 'skip'.
        most_corrupt (float): Share of the files that may be skipped, from 0 to
            1. Each worker judges those that it has loaded, from the hundredth
            on, and allows for five standard errors. Defaults to 0.1.
        min_side (int, optional): Decode a JPEG at 1/2, 1/4 or 1/8 of its size
            if its shorter side keeps at least this many pixels. This is faster
            and changes pixels slightly. To avoid upsampling, use ``min_side >=
            size * (r / s) ** 0.5``, with s the smallest crop area and r the
            largest aspect ratio: 579 for 224 pixels, 0.2 and 4 / 3. Defaults
            to None, full size.
        **kwargs: Arguments of ``mmcv.LoadImageFromFile``.
    """

    def __init__(self,
                 channels: int = 3,
                 value_range: Optional[Ranges] = None,
                 on_corrupt: str = 'skip',
                 most_corrupt: float = 0.1,
                 min_side: Optional[int] = None,
                 **kwargs) -> None:
        if on_corrupt not in ('skip', 'raise'):
            raise ValueError(
                f'on_corrupt={on_corrupt!r} must be "skip" or "raise"')
        super().__init__(**kwargs)
        self.channels = check_whole_number('channels', channels, 'LoadImage')
        self.value_range = value_range
        self.bgr = (self.color_type, self.imdecode_backend) == ('color', 'cv2')
        self.any_depth = self.channels != 3 or value_range is not None
        if value_range is not None:
            self.value_range = check_value_range(value_range)
        if min_side is not None:
            min_side = check_whole_number('min_side', min_side, 'LoadImage')
            if self.any_depth:
                raise ValueError(
                    f'min_side={min_side} of LoadImage is for 8-bit '
                    'photographs: leave it out, or channels and value_range')
        if min_side is not None or self.any_depth:
            self.check_decoder()
        if not 0 <= most_corrupt <= 1:
            raise ValueError(f'most_corrupt={most_corrupt} of LoadImage has to'
                             ' be a share from 0 to 1')
        self.on_corrupt = on_corrupt
        self.most_corrupt = most_corrupt
        self.min_side = min_side
        # By a hash of the path, in memory that workers share
        self.logged = torch.zeros(2**16, dtype=torch.bool).share_memory_()
        self.files = self.failures = 0  # of this worker

    def check_decoder(self) -> None:
        """Refuse settings of the parent that only its own decoding
        supports."""
        if not self.bgr:
            raise ValueError(
                'channels, value_range and min_side of LoadImage need '
                'color_type="color" and imdecode_backend="cv2": leave these '
                'out')
        if self.file_client_args is not None:
            raise ValueError('channels, value_range and min_side of LoadImage '
                             'do not support file_client_args: set '
                             'backend_args instead')

    def transform(self, results: dict) -> Optional[dict]:
        """Load an image.

        Args:
            results (dict): A sample with ``img_path``.

        Returns:
            dict or None: The sample with ``img``, ``img_shape`` and
            ``ori_shape``. None if the file is skipped. MMEngine's data sets
            then draw another image.

        Raises:
            OSError: If the file cannot be read and on_corrupt='raise', or if
                too many cannot.
        """
        path = printable(results['img_path'])
        self.files += 1
        try:
            return self.decode(results)
        except ArchiveChanged:  # which concerns all files
            raise
        # Decoders may raise anything, and a run must survive any file.
        except Exception as error:
            gone = isinstance(error, FileNotFoundError)
            unfit = isinstance(error, UnfitImage)
            reason = 'it does not exist' if gone else str(error) if unfit \
                else f'{type(error).__name__}: {error}'.splitlines()[0]
            if self.on_corrupt == 'raise' and gone:
                raise OSError(
                    f'cannot read {path}, which does not exist: restore it, or'
                    ' correct the list that names it') from error
            if self.on_corrupt == 'raise':
                what = reason if unfit else f'repair or remove it ({reason})'
                raise OSError(
                    f'cannot read {path} as an image: {what}') from error
        self.failures += 1
        count = f'{self.failures} of {self.files} files so far'
        expected = self.most_corrupt * self.files
        # A worker that meets more than its share by chance continues.
        chance = 5 * ((1 - self.most_corrupt) * expected)**0.5
        if self.files >= 100 and self.failures > expected + chance:
            raise OSError(
                f'too many files cannot be read as images, {count}, such as '
                f'{path} ({reason}): repair or remove them, or raise '
                f'most_corrupt={self.most_corrupt} of LoadImage')
        if not (logged := self.logged[zlib.crc32(path.encode()) % 2**16]):
            logged.fill_(True)
            told = f'skipped {path}, which does not exist ({count})'
            if not gone:
                told = (f'skipped {path}, which cannot be read as an image '
                        f'({reason}; {count})')
            print_log(told, logger='current', level=logging.WARNING)
        return None

    def decode(self, results: dict) -> dict:
        """Load an image as the parent does, and most JPEGs faster."""
        if self.file_client_args is not None:
            return super().transform(results)
        content = fileio.get(
            results['img_path'], backend_args=self.backend_args)
        if not content:
            raise ValueError('the file is empty')
        header = read_header(content)
        check_pixels(content, header)
        img = None
        any_depth = self.any_depth or self.bgr and (header is not None
                                                    and header.is_misread())
        if self.bgr and not any_depth:
            img = decode_jpeg(content, self.min_side)
        if img is None and not any_depth:
            img = mmcv.imfrombytes(
                content, flag=self.color_type, backend=self.imdecode_backend)
        if img is None and not self.bgr:
            raise ValueError(UNREADABLE)
        if img is None:  # any depth, or the reason why it cannot be read
            img = read_image(content, self.channels, self.value_range, header)
        if self.to_float32:
            img = img.astype(np.float32)
        results.update(
            img=img, img_shape=img.shape[:2], ori_shape=img.shape[:2])
        return results


def check_pixels(content: bytes, header: Optional[TiffHeader]) -> None:
    """Refuse an image that would fill the memory, based on its header.

    Args:
        content (bytes): Content of the file.
        header (TiffHeader, optional): Its header, if it is a TIFF.

    Raises:
        ValueError: If it, or a tile of it, has more than 179 million pixels
            of up to 4 bands, or four times as many values in more bands, or
            if its kind is not known.
    """
    bands = 4  # at most, in other formats
    if content[:4] == PNG_START:  # faster than Pillow
        width, height = struct.unpack('>II', content[16:24])
    elif header is not None:  # Pillow supports few bands
        page = header.page
        width, height = max((page.imagewidth, page.imagelength),
                            (page.tilewidth, page.tilelength),
                            key=math.prod)
        bands = max(page.imagedepth, page.tiledepth) * header.bands
    elif content.startswith(UNKNOWN_STARTS):
        raise ValueError('it is a Radiance HDR, PFM or PAM file: convert it to'
                         ' PNG or TIFF')
    else:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter('ignore', Image.DecompressionBombWarning)
                with Image.open(BytesIO(content)) as image:
                    width, height = image.size
        except Image.DecompressionBombError as error:
            raise ValueError(str(error)) from error
        except Exception:  # OpenCV may support it
            return
    if width * height * max(bands, 4) > 4 * MOST_PIXELS:
        if bands > 4:
            raise ValueError(f'{width}x{height} pixels of {bands} bands are '
                             f'{width * height * bands} values, more than '
                             f'{4 * MOST_PIXELS}: cut it into tiles')
        raise ValueError(f'{width}x{height} pixels are more than '
                         f'{MOST_PIXELS}: cut it into tiles')


def decode_jpeg(content: bytes,
                min_side: Optional[int] = None) -> Optional[np.ndarray]:
    """Decode a plain JPEG to the same pixels as OpenCV.

    Args:
        content (bytes): Content of the file.
        min_side (int, optional): Smallest shorter side in pixels when decoding
            at a reduced size. Defaults to None, full size.

    Returns:
        np.ndarray or None: BGR image of shape (H, W, 3). None for files that
        are left to OpenCV: other formats, rotated photographs, damaged files.
    """
    if content[:3] != b'\xff\xd8\xff':
        return None
    if min_side is not None:
        flag = reduced_flag(content, min_side)
        if flag is not None:
            return cv2.imdecode(np.frombuffer(content, np.uint8), flag)
    # Exif data may ask for a rotation.
    if simplejpeg is None or b'Exif\0' in content[:2**16]:
        return None
    try:
        colors = simplejpeg.decode_jpeg_header(content)[2]
        if colors in ('YCbCr', 'Gray'):
            return simplejpeg.decode_jpeg(content, 'BGR')
    except ValueError:  # damaged
        pass
    return None


def reduced_flag(content: bytes, min_side: int) -> Optional[int]:
    """Return OpenCV's flag for decoding at a reduced size.

    Args:
        content (bytes): Content of a JPEG file.
        min_side (int): Smallest shorter side in pixels.

    Returns:
        int or None: The flag, None for full size.
    """
    try:
        with Image.open(BytesIO(content)) as image:  # reads the header only
            side = min(image.size)
    # Pillow refuses huge images and unusual headers that OpenCV accepts.
    except (Image.DecompressionBombError, OSError):
        return None
    for factor in (8, 4, 2):
        if side >= factor * min_side:
            return getattr(cv2, f'IMREAD_REDUCED_COLOR_{factor}')
    return None
