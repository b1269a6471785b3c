from pathlib import Path
from typing import Sequence, Union

import numpy as np
import torch
from matplotlib import colormaps
from matplotlib.figure import Figure
from mmengine.dataset import default_collate
from mmengine.model import ImgDataPreprocessor
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from torch import Tensor

from mmregioncl.evaluation import nearest
from mmregioncl.evaluation.run import EvaluationRun
from mmregioncl.models.utils import preprocess
from .curves import plain_label
from .sheets import save, to_images, view_sheet

POINTS = 2000  # test images that are drawn as points, at random
QUERIES = 6  # test images whose nearest train images are drawn
NEIGHBOURS = 7


def embed_2d(features: Tensor, seed: int = 0) -> np.ndarray:
    """Embed features in two dimensions with t-SNE.

    Args:
        features (Tensor): Shape (N, C).
        seed (int): Seed of PCA and t-SNE. Defaults to 0.

    Returns:
        ndarray: Shape (N, 2).
    """
    rows = torch.nn.functional.normalize(features).numpy()
    width = min(50, *rows.shape)
    rows = PCA(width, random_state=seed).fit_transform(rows)
    # scikit-learn requires a perplexity below the number of points.
    perplexity = min(30, (len(rows) - 1) / 3)
    # 1000 iterations, the default, take twice as long for the same picture.
    tsne = TSNE(perplexity=perplexity, max_iter=500, random_state=seed)
    return tsne.fit_transform(rows)


def draw_features(run: EvaluationRun, path: Union[str, Path]) -> None:
    """Draw test features in two dimensions, colored by class.

    Args:
        run (EvaluationRun): Run with the features.
        path (str or Path): PNG file to write.
    """
    features, labels = run.features('test')
    if labels.ndim > 1:
        labels = labels.argmax(1)  # the first class of an image
    rows = np.random.default_rng(run.seed).permutation(len(features))[:POINTS]
    points = embed_2d(features[rows], run.seed)
    classes = int(labels.max()) + 1
    names = run.dataset('test').metainfo.get('classes')
    names = names or range(classes)
    colors = colormaps['tab10' if classes <= 10 else 'gist_rainbow']
    figure = Figure(figsize=(6, 6), layout='constrained')
    axes = figure.subplots()
    for number in range(classes):
        mine = points[labels[rows].numpy() == number]
        color = colors(number if classes <= 10 else number / classes)
        axes.scatter(
            *mine.T,
            s=6,
            color=color,
            label=plain_label(str(names[number])),
            linewidths=0)
    axes.set_xticks([])
    axes.set_yticks([])
    for side in axes.spines.values():
        side.set_alpha(0.2)
    if classes <= 10:
        axes.legend(
            markerscale=3,
            ncols=5,
            fontsize=8,
            frameon=False,
            loc='upper center',
            bbox_to_anchor=(0.5, 0))
    save(figure, path)


def draw_neighbours(run: EvaluationRun, path: Union[str, Path]) -> None:
    """Draw random test images and their nearest train images.

    Args:
        run (EvaluationRun): Run with the features.
        path (str or Path): PNG file to write.
    """
    train, _ = run.features('train')
    test, _ = run.features('test')
    rows = np.random.default_rng(run.seed).permutation(len(test))[:QUERIES]
    _, found = nearest(train, torch.arange(len(train)), test[rows],
                       min(NEIGHBOURS, len(train)))
    train_set, test_set = map(run.dataset, ('train', 'test'))
    preprocessor = run.model.data_preprocessor
    columns = dict(test=pictures(test_set, rows.tolist(), preprocessor))
    for rank, column in enumerate(found.T.tolist(), 1):
        columns[f'{rank}'] = pictures(train_set, column, preprocessor)
    view_sheet(path, columns)


def pictures(dataset, rows: Sequence[int],
             preprocessor: ImgDataPreprocessor) -> Sequence[np.ndarray]:
    """Images that the model sees, (N, H, W, 3) uint8 RGB."""
    batch = default_collate([dataset[row] for row in rows])
    (views, ), _ = preprocess(preprocessor, batch)
    return to_images(views, preprocessor)
