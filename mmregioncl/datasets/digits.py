import shutil
from pathlib import Path
from typing import Union

from PIL import Image
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split


def write_digits(root: Union[str, Path]) -> Path:
    """Write scikit-learn's handwritten digits to folders of images, 24 pixels
    wide.

    The data are 1,797 scans of 8x8 pixels (UCI, E. Alpaydin and C. Kaynak,
    1998). Two thirds go to ``root/train`` and one third to ``root/test``, with
    one folder per digit. The split is always the same.

    Args:
        root (str or Path): Folder to create. Nothing is written if it exists.

    Returns:
        Path: The root.
    """
    root = Path(root)
    if root.exists():
        return root
    # Renamed when complete, so that a folder that exists is complete
    part = root.with_name(f'{root.name}.part')
    shutil.rmtree(part, ignore_errors=True)

    digits = load_digits()
    scans = (digits.images * (255 / 16)).astype('uint8')  # (1797, 8, 8)
    train, test = train_test_split(
        range(len(scans)),
        test_size=1 / 3,
        random_state=0,
        stratify=digits.target)
    for split, indices in dict(train=train, test=test).items():
        for index in indices:
            folder = part / split / str(digits.target[index])
            folder.mkdir(parents=True, exist_ok=True)
            scan = Image.fromarray(scans[index])
            scan.resize((24, 24),
                        Image.BICUBIC).save(folder / f'{index:04d}.png')
    part.rename(root)
    return root
