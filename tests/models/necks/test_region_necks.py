import pytest
import torch
from mmengine.registry import MODELS

from mmregioncl import host
from mmregioncl.models.utils import Region, pool_region

NECK = dict(in_channels=6, hid_channels=5, out_channels=4)


@pytest.fixture
def necks():
    ours = MODELS.build(dict(type='mmregioncl.RegionMoCoV2Neck', **NECK))
    theirs = MODELS.build(dict(type=f'{host.NAME}.MoCoV2Neck', **NECK))
    theirs.load_state_dict(ours.state_dict())  # strict: the same names
    return ours, theirs


def test_whole_views_as_upstream(necks):
    ours, theirs = necks
    features = [torch.randn(3, 6, 7, 7)]
    assert torch.equal(ours(features)[0], theirs(features)[0])


def test_regions_take_the_same_mlp_in_source_order(necks):
    ours, theirs = necks
    features, region = torch.randn(4, 6, 7, 7), Region(2, 1, 3, 4)
    regions = ours.forward_region([features], region)
    for projected, pooled in zip(regions, pool_region(features, region)):
        assert projected.shape == (4, 4)
        torch.testing.assert_close(projected, theirs.mlp(pooled))


def test_neck_without_pool_is_refused():
    with pytest.raises(ValueError, match='with_avg_pool must be True'):
        MODELS.build(
            dict(
                type='mmregioncl.RegionMoCoV2Neck',
                with_avg_pool=False,
                **NECK))
