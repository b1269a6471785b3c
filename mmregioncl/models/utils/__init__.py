from .ema import ForeachEMA
from .info_nce import info_nce
from .queue import enqueue
from .region import Region, check_grid, pool_region, sample_region, swap_region
from .weights import check_weights

__all__ = [
    'ForeachEMA', 'Region', 'check_grid', 'check_weights', 'enqueue',
    'info_nce', 'pool_region', 'sample_region', 'swap_region'
]
