from .features import (batch_loader, check_classes, check_finite, class_folder,
                       eval_dataset, eval_pipeline, extract_features,
                       extract_rows, gather_rows, load_model, rank_batches,
                       read_labels, view_size)
from .knn import (check_neighbours, keep_best, knn_accuracy, knn_classify,
                  nearest, vote)
from .linear import linear_probes, online_probe
from .protocols import FEATURE_PROTOCOLS, recipe
from .statistics import alignment, rankme, relative_std, uniformity
from .study import Study

__all__ = [
    'FEATURE_PROTOCOLS', 'Study', 'recipe', 'alignment', 'batch_loader',
    'check_classes', 'check_finite', 'check_neighbours', 'class_folder',
    'eval_dataset', 'eval_pipeline', 'extract_features', 'extract_rows',
    'gather_rows', 'keep_best', 'linear_probes', 'online_probe',
    'knn_accuracy', 'knn_classify', 'load_model', 'nearest', 'rank_batches',
    'rankme', 'read_labels', 'relative_std', 'uniformity', 'view_size', 'vote'
]
