import hashlib
from pathlib import Path

import numpy as np
from mmengine.dataset import BaseDataset


def fingerprint(dataset: BaseDataset, content: bool = False) -> str:
    """Hash the images of a data set and their order.

    Files are identified by their paths below the root, so that the root may
    move. Images without a file are identified by their pixels, or by their
    position in their archive.

    Args:
        dataset (BaseDataset): A data set without wrappers.
        content (bool): Whether labels, and pixels of images without a file,
            are hashed in any case. Defaults to False, as in the checkpoints
            of ContrastiveCrop.

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
            path = str(Path(path).expanduser())
            for root in roots:
                path = path.removeprefix(root)
            label = dict(gt_label=info.get('gt_label')) if content else {}
            info = dict(label, path=path.lstrip('/'))
        for name in sorted(info):
            value = info[name]
            value = value.tobytes() if isinstance(
                value, np.ndarray) else str(value).encode()
            digest.update(name.encode() + b'=' + value + b';')
    return digest.hexdigest()
