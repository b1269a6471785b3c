import hashlib
import os
from pathlib import Path

import numpy as np
from mmengine import fileio
from mmengine.dataset import BaseDataset

from mmregioncl.files import ARCHIVE

BLOCK = 4096  # bytes of a file that are compared


def fingerprint(dataset: BaseDataset, content: bool = False) -> str:
    """Hash the images of a data set and their order.

    Files are identified by their paths below the root, so that the root may
    move. Images without a file are identified by their pixels, or by their
    position in their archive.

    Args:
        dataset (BaseDataset): A data set without wrappers.
        content (bool): Whether labels, pixels of images without a file, and
            the size and the middle of local files are hashed. Files at an
            address, such as ``s3://``, are not read. Defaults to False, as in
            the checkpoints of ContrastiveCrop.

    Returns:
        str: 32 hexadecimal digits.
    """
    roots = [
        getattr(dataset, 'data_root', None),
        *getattr(dataset, 'data_prefix', {}).values()
    ]
    roots = [str(Path(root).expanduser()) for root in roots if root]
    digest = hashlib.blake2b(digest_size=16)
    for index in range(len(dataset)):
        if content:
            info = dataset.get_data_info(index)
        else:  # without what a subclass adds, such as the pixels of STL-10
            info = BaseDataset.get_data_info(dataset, index)
        path = info.get('img_path')
        if path is not None:
            label = dict(
                gt_label=info.get('gt_label'),
                middle=middle(path)) if content else {}
            path = str(Path(path).expanduser())
            for root in roots:
                path = path.removeprefix(root)
            info = dict(label, path=path.lstrip('/'))
        for name in sorted(info):
            value = info[name]
            value = value.tobytes() if isinstance(
                value, np.ndarray) else str(value).encode(
                    errors='surrogatepass')
            digest.update(name.encode() + b'=' + value + b';')
    return digest.hexdigest()


def middle(path: str) -> bytes:
    """The size of a local file and the bytes in its middle.

    Different images are unlikely to agree in both. The result is empty for
    files at an address and for missing files.
    """
    if path.startswith(ARCHIVE):
        content = fileio.get(path)
        start = max(0, (len(content) - BLOCK) // 2)
        return b'%d ' % len(content) + content[start:start + BLOCK]
    if '://' in path:
        return b''
    try:
        with open(os.path.expanduser(path), 'rb') as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, (size - BLOCK) // 2))
            return b'%d ' % size + file.read(BLOCK)
    except OSError:  # reported when the image is read
        return b''
