from .ema import ForeachCosineEMA, ForeachEMA
from .forward import backbone_outputs, preprocess
from .info_nce import info_nce, nt_xent
from .localize import (Threshold, are_whole, areas, check_threshold, covered,
                       heat_maps, heatmap_to_boxes)
from .outputs import (MAP_SETTINGS, class_token, feature_map, grid_of,
                      image_features, split_tokens)
from .queue import enqueue
from .region import (Region, check_region, default_size, neighbours, paired,
                     partner, pool_region, sample_region, swap_region)
from .region_swap import RegionSwap, build_region_swap
from .shuffle import (draw_order, local_batch_norms, plan_exchange,
                      redistribute, shared_seed)
from .update_clock import UpdateClock
from .weights import check_weights, count_fitting, faults_of

__all__ = [
    'ForeachCosineEMA', 'ForeachEMA', 'MAP_SETTINGS', 'Region', 'RegionSwap',
    'Threshold', 'UpdateClock', 'are_whole', 'areas', 'backbone_outputs',
    'build_region_swap', 'check_region', 'check_threshold', 'check_weights',
    'class_token', 'count_fitting', 'covered', 'default_size', 'draw_order',
    'enqueue', 'faults_of', 'feature_map', 'grid_of', 'heat_maps',
    'heatmap_to_boxes', 'image_features', 'info_nce', 'local_batch_norms',
    'neighbours', 'nt_xent', 'paired', 'partner', 'plan_exchange',
    'pool_region', 'preprocess', 'redistribute', 'sample_region',
    'shared_seed', 'split_tokens', 'swap_region'
]
