"""Importing mmcv-lite warns about an operator that is not needed.

``mmcv.cnn`` tries to import deformable attention, which mmcv-lite does not
have and no model of this package uses.
"""
import warnings


def patch() -> None:
    warnings.filterwarnings(
        'ignore', message='Fail to import ``MultiScaleDeformableAttention``')
