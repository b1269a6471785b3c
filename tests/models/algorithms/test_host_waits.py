import pytest
import torch

from host_waits import WAITS, operators
from mmregioncl.models.utils import Region, swap_region


@pytest.mark.slow
def test_no_step_waits_for_the_device(method, build):
    """Neither averages nor queues, losses or their gradients.

    Regions are drawn from the generator of the host, whatever the device.
    """
    ours, parent = map(build, method)
    region = Region(1, 0, 2, 3)
    ours.region_swap = lambda views: (swap_region(views, region.scale(8)),
                                      region)
    views = [torch.randn(4, 3, 32, 32) for _ in range(2)]

    def step(model):
        sum(model(views, mode='loss').values()).backward()

    for model in (ours, parent):
        step(model)  # averages read once how far they are
    counts = operators(lambda: step(ours))
    assert counts['aten::convolution'] > 0
    assert not WAITS & counts.keys()
    if 'SimSiam' not in method[0]['type']:
        assert WAITS & operators(lambda: step(parent)).keys()
