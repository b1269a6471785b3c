from .data_preprocessor import SelfSupDataPreprocessor, normalize
from .ema import ForeachCosineEMA, ForeachEMA
from .info_nce import info_nce, nt_xent
from .localize import feature_map, heat_maps, heatmap_to_boxes
from .queue import enqueue
from .region import (Region, check_grid, check_pairs, pool_region,
                     sample_region, swap_region)
from .shuffle import (draw_order, local_batch_norms, plan_exchange,
                      redistribute, shared_generator)
from .shuffled_norm import ShuffledBatchNorm, in_groups, plan_groups
from .weights import check_weights, faults_of

__all__ = [
    'ForeachCosineEMA', 'ForeachEMA', 'Region', 'SelfSupDataPreprocessor',
    'ShuffledBatchNorm', 'check_grid', 'check_pairs', 'check_weights',
    'draw_order', 'enqueue', 'faults_of', 'feature_map', 'heat_maps',
    'heatmap_to_boxes', 'in_groups', 'info_nce', 'local_batch_norms',
    'normalize', 'nt_xent', 'plan_exchange', 'plan_groups', 'pool_region',
    'redistribute', 'sample_region', 'shared_generator', 'swap_region'
]
