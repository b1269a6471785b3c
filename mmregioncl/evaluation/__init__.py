from .data import (check_class_folders, check_same_classes, class_folder,
                   eval_dataset, eval_pipeline, read_labels, view_size,
                   warn_of_one_class)
from .features import (batch_loader, check_finite, extract_features,
                       extract_rows)
from .knn import (accuracy, check_neighbours, fitting_neighbours, keep_best,
                  knn_accuracy, knn_classify, knn_predict, knn_votes, nearest,
                  vote)
from .linear import linear_probes, online_probe
from .model import build_model, load_model, model_config
from .ranks import gather_rows, rank_batches, rows_of
from .statistics import alignment, rankme, relative_std, uniformity

__all__ = [
    'accuracy', 'alignment', 'batch_loader', 'build_model',
    'check_class_folders', 'check_finite', 'check_neighbours',
    'check_same_classes', 'class_folder', 'eval_dataset', 'eval_pipeline',
    'extract_features', 'extract_rows', 'fitting_neighbours', 'gather_rows',
    'keep_best', 'knn_accuracy', 'knn_classify', 'knn_predict', 'knn_votes',
    'linear_probes', 'load_model', 'model_config', 'nearest', 'online_probe',
    'rank_batches', 'rankme', 'read_labels', 'relative_std', 'rows_of',
    'uniformity', 'view_size', 'vote', 'warn_of_one_class'
]
