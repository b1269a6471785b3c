import pytest
import torch
from mmengine.registry import MODELS

from mmregioncl.models.utils import preprocess

STATISTICS = dict(mean=(123.675, 116.28, 103.53), std=(58.395, 57.12, 57.375))


def both(**settings):
    """The parent and ours."""
    return [
        MODELS.build(dict(type=scope + 'SelfSupDataPreprocessor', **settings))
        for scope in ('', 'mmregioncl.')
    ]


@pytest.mark.parametrize('settings', [
    dict(STATISTICS),
    dict(STATISTICS, bgr_to_rgb=True),
    dict(STATISTICS, rgb_to_bgr=True),
    dict(mean=(127, ), std=(50, )),
    dict(bgr_to_rgb=True),
    dict()
])
@pytest.mark.parametrize('dtype', [torch.uint8, torch.float32])
def test_views_are_the_parents(settings, dtype):
    theirs, ours = both(**settings)
    for layout in (torch.contiguous_format, torch.channels_last):
        views = [
            torch.randint(0, 256,
                          (2, 3, 8, 6)).to(dtype, memory_format=layout)
            for _ in range(2)
        ]
        data = dict(inputs=views, data_samples=[])
        before = [view.clone() for view in views]
        for a, b in zip(
                preprocess(theirs, data)[0],
                preprocess(ours, data)[0]):
            assert b.dtype == torch.float32
            torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-6)
        assert all(map(torch.equal, views, before))
        assert preprocess(ours, data)[1] == []
    assert ours.state_dict() == theirs.state_dict() == {}


def test_one_pass_for_each_channel():
    """No swap of channels, difference or quotient of its own."""
    ours = both(**STATISTICS, bgr_to_rgb=True)[1]
    views = [torch.zeros(2, 3, 8, 8, dtype=torch.uint8) for _ in range(2)]
    with torch.profiler.profile() as profile:
        ours(dict(inputs=views, data_samples=[]))
    calls = {e.key: e.count for e in profile.key_averages()}
    assert calls['aten::addcmul'] == 6
    assert not {'aten::index', 'aten::div', 'aten::sub'} & calls.keys()


@pytest.mark.parametrize('data', [
    dict(inputs=[torch.ones(2, 3, 4, 4, requires_grad=True)], data_samples=[]),
    dict(inputs=[torch.ones(2, 4, 3, 8, 8)], data_samples=[]),
    dict(images=[torch.ones(2, 3, 4, 4)], samples=[]),
])
def test_other_batches_are_the_parents(data):
    theirs, ours = both(**STATISTICS)
    for a, b in zip(preprocess(theirs, data)[0], preprocess(ours, data)[0]):
        assert torch.equal(a, b) and a.requires_grad == b.requires_grad


@pytest.mark.parametrize('channels', [2, 4, 16])
def test_any_number_of_channels(channels):
    """The definition, in float64."""
    mean, std = torch.rand(2, channels).double() * 100 + 1
    ours = MODELS.build(
        dict(
            type='mmregioncl.SelfSupDataPreprocessor',
            mean=mean.tolist(),
            std=std.tolist()))
    view = torch.randint(0, 256, (2, channels, 8, 6), dtype=torch.uint8)
    (found, ), _ = preprocess(ours, dict(inputs=[view], data_samples=[]))
    expected = (view.double() - mean.view(-1, 1, 1)) / std.view(-1, 1, 1)
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-5)
    assert ours.state_dict() == {}


def test_mean_and_std_belong_together():
    with pytest.raises(ValueError, match='have to be of one length'):
        MODELS.build(
            dict(
                type='mmregioncl.SelfSupDataPreprocessor',
                mean=[1, 2, 3, 4],
                std=[1, 2, 3]))
