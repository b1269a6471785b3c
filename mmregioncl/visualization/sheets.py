from pathlib import Path
from typing import Dict, List, Optional, Sequence, Union

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from mmengine.model import ImgDataPreprocessor
from torch import Tensor

from mmregioncl.files import atomic_write, locked
from mmregioncl.models.utils import Region


def view_sheet(path: Union[str, Path],
               columns: dict,
               region: Optional[Region] = None) -> None:
    """Draw columns of images.

    Args:
        path (str or Path): PNG file to write.
        columns (dict[str, ndarray]): Images of each column by its title,
            (N, H, W, 3) uint8 RGB each.
        region (Region, optional): Rectangle in pixels, outlined in the last
            column. Defaults to None.
    """
    rows = len(next(iter(columns.values())))
    figure = Figure(
        figsize=(1.6 * len(columns), 1.6 * rows + 0.3), layout='constrained')
    axes = figure.subplots(1, len(columns), squeeze=False)[0]
    for ax, (title, images) in zip(axes, columns.items()):
        height, width = images[0].shape[:2]
        step = height + max(1, height // 16)  # with a gap below
        column = np.full((rows * step, width, 3), 255, np.uint8)
        for row, image in enumerate(images):
            column[row * step:][:height] = image
        ax.imshow(column[:height - step])
        ax.set(title=title, xticks=[], yticks=[])
        ax.set_axis_off()
    if region is not None:
        for row in range(rows):
            # Pixel centers are whole numbers, edges half a pixel off.
            outline(axes[-1], row * step + region.top - 0.5, region.left - 0.5,
                    region.height, region.width, 'lime', 2)
    save(figure, path)


def box_sheet(path: Union[str, Path], rows: List[tuple],
              histograms: Dict[int, List[int]]) -> None:
    """Draw images with heat map, box and crops, and a chart of box areas.

    Args:
        path (str or Path): PNG file to write.
        rows (list[tuple]): Image (H, W, 3) uint8 RGB; heat map (h, w); box
            as top, left, bottom and right in fractions; crops as top, left,
            height and width in pixels.
        histograms (dict[int, list[int]]): Histograms of box areas from 0 to 1
            by epoch. Without any, there is no chart.
    """
    lines = -(-len(rows) // 2)
    heights = [1.5 * lines, 2.2][:2 if histograms else 1]
    figure = Figure(figsize=(9, sum(heights) + 0.3), layout='constrained')
    parts = figure.subfigures(
        len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
    axes = parts[0].subplots(lines, 6, squeeze=False)
    for ax, title in zip(axes[0], ('image', 'response, box', 'crops') * 2):
        ax.set_title(title, fontsize=9)
    for ax in axes.flat:
        ax.set_axis_off()
    for triple, row in zip(axes.reshape(-1, 3), rows):
        draw_boxes(triple, *row)
    if histograms:
        draw_areas(parts[1].subplots(), histograms)
    save(figure, path)


def draw_boxes(axes: Sequence[Axes], image: np.ndarray, heat: np.ndarray,
               box: Sequence[float], crops: List[tuple]) -> None:
    """Draw an image; its heat map and box; its crops."""
    height, width = image.shape[:2]
    extent = (0, width, height, 0)  # pixels of the image
    for ax in axes:
        ax.imshow(image, extent=extent)
    axes[1].imshow(heat, cmap='inferno', alpha=0.7, extent=extent)
    top, left, bottom, right = np.multiply(box, (height, width) * 2)
    for ax in axes[1:]:
        outline(ax, top, left, bottom - top, right - left, 'lime', 1.8)
    for top, left, tall, wide in crops:
        outline(axes[2], top, left, tall, wide, 'white', 0.7)
        axes[2].plot(left + wide / 2, top + tall / 2, 'r.', markersize=3)


def outline(ax: Axes, top: float, left: float, height: float, width: float,
            color: str, linewidth: float) -> None:
    ax.add_patch(
        Rectangle((left, top),
                  width,
                  height,
                  fill=False,
                  color=color,
                  linewidth=linewidth))


def draw_areas(ax: Axes, histograms: Dict[int, List[int]]) -> None:
    """Draw a histogram of box areas for each epoch."""
    for epoch, counts in sorted(histograms.items()):
        shares = np.array(counts) / sum(counts)
        edges = np.linspace(0, 1, len(counts) + 1)
        ax.stairs(shares, edges, label=f'after epoch {epoch}')
    ax.set_xlabel('area of the box')
    ax.set_ylabel('share of images')
    ax.legend(fontsize=8)


def row_sheet(path: Union[str, Path], rows: List[np.ndarray],
              titles: Sequence[str]) -> None:
    """Draw wide images below each other.

    Args:
        path (str or Path): PNG file to write.
        rows (list[ndarray]): Images (H, W, 3) uint8 RGB, each made of parts of
            equal width side by side.
        titles (Sequence[str]): Titles of the parts, from left to right.
    """
    heights = [8 * len(row) / row.shape[1] for row in rows]  # inches
    figure = Figure(figsize=(8, sum(heights) + 0.4), layout='constrained')
    axes = figure.subplots(
        len(rows), 1, height_ratios=heights, squeeze=False)[:, 0]
    for ax, row in zip(axes, rows):
        ax.imshow(row)
        ax.set_axis_off()
    for number, title in enumerate(titles):
        axes[0].text(
            (number + 0.5) / len(titles),
            1.02,
            title,
            ha='center',
            transform=axes[0].transAxes)
    save(figure, path)


def to_images(views: Tensor,
              preprocessor: ImgDataPreprocessor) -> Sequence[np.ndarray]:
    """Undo the normalization of a data preprocessor.

    Args:
        views (Tensor): Normalized images, RGB or of other bands,
            (N, C, H, W).
        preprocessor (ImgDataPreprocessor): The preprocessor.

    Returns:
        ndarray: Images of shape (N, H, W, 3), uint8.
    """
    if preprocessor._enable_normalize:
        views = views * preprocessor.std + preprocessor.mean
    views = views.round().clamp(0, 255).byte()
    return to_colors(views.permute(0, 2, 3, 1).cpu().numpy())


def to_colors(images: np.ndarray) -> np.ndarray:
    """Show the first three bands as RGB, or the first of fewer as gray.

    Args:
        images (np.ndarray): Shape (..., C).

    Returns:
        np.ndarray: Shape (..., 3).
    """
    if images.shape[-1] < 3:
        return images[..., :1].repeat(3, -1)
    return images[..., :3]


def save(figure: Figure, path: Union[str, Path]) -> None:
    """Write a figure as PNG, completely or not at all.

    The figure is enlarged if its titles need more room.
    """
    with locked(Path(path).parent), atomic_write(path) as part:
        figure.savefig(part, format='png', dpi=120, bbox_inches='tight')
