from .data_preprocessor import SelfSupDataPreprocessor, normalize
from .ema import ForeachCosineEMA, ForeachEMA
from .info_nce import info_nce, nt_xent
from .localize import feature_map, heat_maps, heatmap_to_boxes
from .queue import enqueue
from .region import (Region, check_grid, check_pairs, pool_region,
                     sample_region, swap_region)
from .shuffle import (depends_on_batch, draw_order, plan_exchange,
                      redistribute, shared_generator)
from .weights import check_weights, faults_of

__all__ = [
    'ForeachCosineEMA', 'ForeachEMA', 'Region', 'SelfSupDataPreprocessor',
    'check_grid', 'check_pairs', 'check_weights', 'depends_on_batch',
    'draw_order', 'enqueue', 'faults_of', 'feature_map', 'heat_maps',
    'heatmap_to_boxes', 'info_nce', 'normalize', 'nt_xent', 'plan_exchange',
    'pool_region', 'redistribute', 'sample_region', 'shared_generator',
    'swap_region'
]
