from .convert import (backbone_weights, from_openselfsup, read_weights,
                      to_openselfsup, write_weights)
from .layouts import LAYOUTS, to_layout
from .load import load_backbone
from .published import adopt_published

__all__ = [
    'LAYOUTS', 'adopt_published', 'backbone_weights', 'from_openselfsup',
    'load_backbone', 'read_weights', 'to_layout', 'to_openselfsup',
    'write_weights'
]
