from .features import (class_folder, eval_pipeline, extract_features,
                       load_model, view_size)
from .knn import knn_accuracy, knn_classify

__all__ = [
    'class_folder', 'eval_pipeline', 'extract_features', 'knn_accuracy',
    'knn_classify', 'load_model', 'view_size'
]
