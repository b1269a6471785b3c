from mmcv.transforms import Compose

from mmregioncl.datasets.transforms import channels_of


def test_channels_of_loaders():
    """Others than ours load as many as their color_type says."""
    for step, channels in ((dict(type='mmregioncl.LoadImage',
                                 channels=4), 4), (dict(
                                     type='LoadImageFromFile',
                                     color_type='grayscale'), 1),
                           (dict(type='LoadImageFromFile'), None)):
        assert channels_of(Compose([step])) == channels
