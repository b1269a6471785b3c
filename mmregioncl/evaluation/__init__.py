from .features import (batch_loader, check_class_folders, check_finite,
                       check_same_classes, class_folder, eval_dataset,
                       eval_pipeline, extract_features, extract_rows,
                       gather_rows, load_model, rank_batches, read_labels,
                       rows_of, view_size)
from .knn import (check_neighbours, keep_best, knn_accuracy, knn_classify,
                  nearest, vote)
from .linear import linear_probes, online_probe
from .statistics import alignment, rankme, relative_std, uniformity

__all__ = [
    'alignment', 'batch_loader', 'check_class_folders', 'check_finite',
    'check_neighbours', 'check_same_classes', 'class_folder', 'eval_dataset',
    'eval_pipeline', 'extract_features', 'extract_rows', 'gather_rows',
    'keep_best', 'knn_accuracy', 'knn_classify', 'linear_probes', 'load_model',
    'nearest', 'online_probe', 'rank_batches', 'rankme', 'read_labels',
    'relative_std', 'rows_of', 'uniformity', 'view_size', 'vote'
]
