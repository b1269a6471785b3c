from .convert import (LAYOUTS, backbone_weights, from_openselfsup,
                      read_weights, to_detectron2, to_openselfsup,
                      write_weights)

__all__ = [
    'LAYOUTS', 'backbone_weights', 'from_openselfsup', 'read_weights',
    'to_detectron2', 'to_openselfsup', 'write_weights'
]
