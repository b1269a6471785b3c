"""At import, mmcv-lite warns of an operator that nobody asked for.

``mmcv.cnn`` tries to import deformable attention, which no model of this
package uses, and mmcv-lite is what this package asks for.
"""
import warnings


def mend() -> None:
    warnings.filterwarnings(
        'ignore', message='Fail to import ``MultiScaleDeformableAttention``')
