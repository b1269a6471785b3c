import logging
from typing import Optional

from mmcv.transforms import LoadImageFromFile
from mmengine.logging import print_log

from mmregioncl.registry import TRANSFORMS


@TRANSFORMS.register_module()
class LoadImage(LoadImageFromFile):
    """Load an image as 8-bit BGR; a file that cannot be read has a name.

    Grayscale, palette, CMYK and 16-bit images come out as 8-bit BGR, alpha is
    dropped. A skipped file is replaced by another one, drawn at random, and
    logged once by each worker.

    Args:
        on_corrupt (str): 'skip' or 'raise'. Defaults to 'skip'.
        **kwargs: Arguments of ``mmcv.LoadImageFromFile``.
    """

    def __init__(self, on_corrupt: str = 'skip', **kwargs) -> None:
        if on_corrupt not in ('skip', 'raise'):
            raise ValueError(
                f'on_corrupt={on_corrupt!r} must be "skip" or "raise"')
        super().__init__(**kwargs)
        self.on_corrupt = on_corrupt
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
            return super().transform(results)
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
