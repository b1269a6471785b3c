import logging
from io import BytesIO
from typing import Optional

import cv2
import mmcv
import numpy as np
from mmcv.transforms import LoadImageFromFile
from mmengine import fileio
from mmengine.logging import print_log
from PIL import Image

from mmregioncl.registry import TRANSFORMS

try:
    import simplejpeg
except ImportError:  # where it has no wheel, OpenCV decodes
    simplejpeg = None


@TRANSFORMS.register_module()
class LoadImage(LoadImageFromFile):
    """Load an image as 8-bit BGR; a file that cannot be read has a name.

    A plain JPEG is decoded by simplejpeg, a little faster than by OpenCV, to
    the same pixels. Grayscale, palette, CMYK and 16-bit images come out as
    8-bit BGR, alpha is dropped. A skipped file is replaced by another one,
    drawn at random, and logged once by each worker.

    Args:
        on_corrupt (str): 'skip' or 'raise'. Defaults to 'skip'.
        min_side (int, optional): Decode a JPEG at 1/2, 1/4 or 1/8 of its
            size, where its shorter side keeps so many pixels: faster, and not
            quite the same image. Crops of at least a share s of the area, of
            ratios up to r, do not have to grow to `size` where this is ``size
            * (r / s) ** 0.5``: 579 for 224 pixels, 0.2 and 4 / 3. Defaults to
            None, full size.
        **kwargs: Arguments of ``mmcv.LoadImageFromFile``.
    """

    def __init__(self,
                 on_corrupt: str = 'skip',
                 min_side: Optional[int] = None,
                 **kwargs) -> None:
        if on_corrupt not in ('skip', 'raise'):
            raise ValueError(
                f'on_corrupt={on_corrupt!r} must be "skip" or "raise"')
        super().__init__(**kwargs)
        if min_side is not None and not (isinstance(min_side, int)
                                         and min_side > 0):
            raise ValueError(f'min_side={min_side} has to be a number of '
                             'pixels, or None for the full size')
        if min_side and (self.color_type, self.imdecode_backend) != ('color',
                                                                     'cv2'):
            raise ValueError('min_side is for colours by OpenCV: leave '
                             'color_type and imdecode_backend, or min_side')
        if min_side and self.file_client_args is not None:
            raise ValueError('min_side does not go with file_client_args: set '
                             'backend_args instead')
        self.on_corrupt = on_corrupt
        self.min_side = min_side
        self.skipped = set()

    def transform(self, results: dict) -> Optional[dict]:
        """Add ``img``, ``img_shape`` and ``ori_shape`` to the results.

        Args:
            results (dict): With ``img_path``.

        Returns:
            dict or None: None, by which MMEngine's datasets draw another
            image, for a file that is skipped.

        Raises:
            OSError: For a file that cannot be read if on_corrupt='raise'.
        """
        path = results['img_path']
        try:
            return self.decode(results)
        # A decoder may raise anything, and a run must survive any file.
        except Exception as error:
            reason = f'{type(error).__name__}: {error}'.splitlines()[0]
            if self.on_corrupt == 'raise':
                raise OSError(f'cannot read {path} as an image: mend or '
                              'remove it, or set on_corrupt="skip" of '
                              f'LoadImage ({reason})') from error
        if path not in self.skipped:
            self.skipped.add(path)
            print_log(
                f'skipped {path}, which cannot be read as an image ({reason})',
                logger='current',
                level=logging.WARNING)
        return None

    def decode(self, results: dict) -> dict:
        """The parent's transform; of most JPEGs by a faster library."""
        if self.file_client_args is not None:
            return super().transform(results)
        content = fileio.get(
            results['img_path'], backend_args=self.backend_args)
        img = None
        if (self.color_type, self.imdecode_backend) == ('color', 'cv2'):
            img = decode_jpeg(content, self.min_side)
        if img is None:
            img = mmcv.imfrombytes(
                content, flag=self.color_type, backend=self.imdecode_backend)
        if img is None:
            raise ValueError('no decoder takes it')
        if self.to_float32:
            img = img.astype(np.float32)
        results.update(
            img=img, img_shape=img.shape[:2], ori_shape=img.shape[:2])
        return results


def decode_jpeg(content: bytes,
                min_side: Optional[int] = None) -> Optional[np.ndarray]:
    """Decode a plain JPEG; the pixels are those of OpenCV.

    Args:
        content (bytes): Of a file.
        min_side (int, optional): Least pixels of the shorter side, for a
            smaller decoding. Defaults to None, full size.

    Returns:
        np.ndarray or None: Shape (H, W, 3), BGR; None for what is left to
        OpenCV: other formats, photographs to be turned, damaged files.
    """
    if content[:3] != b'\xff\xd8\xff':
        return None
    if min_side is not None:
        flag = reduced_flag(content, min_side)
        if flag is not None:
            return cv2.imdecode(np.frombuffer(content, np.uint8), flag)
    # Exif may say that the photograph is to be turned.
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
    """OpenCV's flag for a smaller decoding, None for full size.

    Args:
        content (bytes): Of a JPEG file.
        min_side (int): Least pixels of the shorter side.
    """
    try:
        with Image.open(BytesIO(content)) as image:  # reads the header alone
            side = min(image.size)
    # Pillow refuses what OpenCV takes: huge images, odd headers.
    except (Image.DecompressionBombError, OSError):
        return None
    for factor in (8, 4, 2):
        if side >= factor * min_side:
            return getattr(cv2, f'IMREAD_REDUCED_COLOR_{factor}')
    return None
