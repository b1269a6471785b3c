import pytest
import torch
from mmengine.logging import MessageHub
from mmengine.model import ExponentialMovingAverage
from torch import nn

from mmregioncl.models.parents import CosineEMA
from mmregioncl.models.utils import ForeachCosineEMA, ForeachEMA


def network() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(16, 2))


@pytest.mark.parametrize('interval', [1, 3])
@pytest.mark.parametrize('average, parent', [
    (ForeachEMA, ExponentialMovingAverage),
    (ForeachCosineEMA, CosineEMA),
])
def test_equals_parent(average, parent, interval):
    MessageHub.get_current_instance().update_info('max_iters', 8)
    model = network().double()
    ours = average(model, momentum=0.1, interval=interval)
    theirs = parent(model, momentum=0.1, interval=interval)
    assert list(ours.state_dict()) == list(theirs.state_dict())

    for _ in range(5):
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn_like(parameter))
        model(torch.randn(2, 3, 4, 4).double())  # moves the buffers as well
        ours.update_parameters(model)
        theirs.update_parameters(model)
        for name, value in theirs.state_dict().items():
            # CosineEMA takes its cosine of a float32 angle
            torch.testing.assert_close(
                ours.state_dict()[name], value, rtol=0, atol=1e-7)


def test_loading_sets_the_count_of_steps():
    model = network()
    ours = ForeachEMA(model, momentum=0.1)
    fresh = {name: t.clone() for name, t in ours.state_dict().items()}
    for _ in range(2):
        ours.update_parameters(model)
    ours.load_state_dict(fresh)

    with torch.no_grad():
        model[0].weight.add_(1)
    ours.update_parameters(model)  # the first one after loading copies
    assert torch.equal(ours.module[0].weight, model[0].weight)
    assert ours.steps == 1


def test_model_without_buffers():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.GroupNorm(2, 4))
    average = ForeachEMA(model, momentum=0.1)
    average.update_parameters(model)
    assert torch.equal(average.module[0].weight, model[0].weight)


def test_averaged_buffers_are_refused():
    with pytest.raises(ValueError, match='update_buffers=False'):
        ForeachEMA(network(), update_buffers=True)
