from .convert import (LAYOUTS, backbone_weights, from_openselfsup,
                      read_weights, to_detectron2, to_openselfsup,
                      write_weights)
from .load import load_backbone

__all__ = [
    'LAYOUTS', 'backbone_weights', 'from_openselfsup', 'load_backbone',
    'read_weights', 'to_detectron2', 'to_openselfsup', 'write_weights'
]
