from pathlib import Path
from typing import Optional, Sequence, Union

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from mmengine.model import ImgDataPreprocessor
from torch import Tensor

from mmregioncl.models.utils import Region


def view_sheet(path: Union[str, Path],
               columns: dict,
               region: Optional[Region] = None) -> None:
    """Draw a sheet of images, a row for each and a column for each kind.

    Args:
        path (str or Path): PNG file to write.
        columns (dict[str, ndarray]): Titles and images, (N, H, W, 3) uint8
            RGB each.
        region (Region, optional): Rectangle in pixels, outlined in the last
            column. Defaults to None.
    """
    rows = len(next(iter(columns.values())))
    figure = Figure(
        figsize=(1.6 * len(columns), 1.6 * rows + 0.3), layout='constrained')
    axes = figure.subplots(rows, len(columns), squeeze=False)
    for column, (title, images) in enumerate(columns.items()):
        axes[0, column].set_title(title)
        for row, image in enumerate(images):
            axes[row, column].imshow(image)
            axes[row, column].set_axis_off()
    if region is not None:
        for row in range(rows):
            # Pixel (0, 0) is centred on the origin: its edge is at -0.5.
            axes[row, -1].add_patch(
                Rectangle((region.left - 0.5, region.top - 0.5),
                          region.width,
                          region.height,
                          fill=False,
                          color='lime',
                          linewidth=2))
    save(figure, path)


def to_images(views: Tensor,
              preprocessor: ImgDataPreprocessor) -> Sequence[np.ndarray]:
    """Undo the normalisation of a data preprocessor.

    Args:
        views (Tensor): Normalised RGB images, (N, 3, H, W).
        preprocessor (ImgDataPreprocessor): What normalised them.

    Returns:
        ndarray: Images of shape (N, H, W, 3), uint8.
    """
    if preprocessor._enable_normalize:
        views = views * preprocessor.std + preprocessor.mean
    views = views.round().clamp(0, 255).byte()
    return views.permute(0, 2, 3, 1).cpu().numpy()


def save(figure: Figure, path: Union[str, Path]) -> None:
    """Write a figure as PNG, under its name only when it is whole."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f'{path.name}.part')
    figure.savefig(part, format='png', dpi=120)
    part.replace(path)
