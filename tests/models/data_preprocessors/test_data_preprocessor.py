import pytest
import torch
from mmengine.registry import MODELS, TRANSFORMS
from mmengine.structures import BaseDataElement, LabelData

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


@pytest.mark.parametrize('std', [[1, 0, 1], [float('nan')] * 3, [-1]])
def test_deviations_that_no_image_has_are_refused(std):
    with pytest.raises(ValueError, match='has to be positive numbers'):
        MODELS.build(
            dict(
                type='mmregioncl.SelfSupDataPreprocessor',
                mean=[0] * len(std),
                std=std))


def test_mean_and_std_belong_together():
    with pytest.raises(ValueError, match='have different lengths'):
        MODELS.build(
            dict(
                type='mmregioncl.SelfSupDataPreprocessor',
                mean=[1, 2, 3, 4],
                std=[1, 2, 3]))


VIEWS = dict(
    num_views=2,
    transforms=[[
        dict(type='mmregioncl.RandomResizedCrop', size=8, backend='pillow'),
        dict(type='mmregioncl.RandomGaussianBlur', sigma_min=1, sigma_max=2)
    ]])


def seeded_batch(**more) -> dict:
    images = torch.randint(0, 256, (4, 3, 12, 10), dtype=torch.uint8)
    return dict(
        inputs=[images], data_samples=[], seeds=torch.arange(4), **more)


@pytest.mark.parametrize('statistics', [STATISTICS, {}])
def test_views_of_a_batch_are_made_here(statistics):
    """In full precision whatever autocast is on, then as from a loader."""
    ours = both(bgr_to_rgb=True, **statistics)[1]
    make = TRANSFORMS.build(dict(type='mmregioncl.BatchViews', **VIEWS))
    making = MODELS.build(
        dict(
            type='mmregioncl.SelfSupDataPreprocessor',
            bgr_to_rgb=True,
            views=VIEWS,
            **statistics))
    batch = seeded_batch()
    views = make(batch['inputs'][0], batch['seeds'])
    wanted, _ = preprocess(ours, dict(inputs=views, data_samples=[]))
    with torch.autocast('cpu', torch.bfloat16):
        found, samples = preprocess(making, batch)
    assert len(found) == 2 and samples == []
    assert all(map(torch.equal, found, wanted))
    # Those without seeds, as in evaluations, stay as they are.
    del batch['seeds']
    for one, other in zip(*(preprocess(p, batch)[0] for p in (making, ours))):
        assert torch.equal(one, other)


def test_loader_and_views_go_together():
    plain = both(**STATISTICS)[1]
    making = MODELS.build(
        dict(type='mmregioncl.SelfSupDataPreprocessor', views=VIEWS))
    batch = seeded_batch()
    with pytest.raises(ValueError, match='go together: set both'):
        plain(batch)
    del batch['seeds']
    with pytest.raises(ValueError, match='go together: set both'):
        making(batch, training=True)


def test_views_are_made_once():
    """``MultiView`` before ``PackSeededInputs`` gives several images."""
    making = MODELS.build(
        dict(type='mmregioncl.SelfSupDataPreprocessor', views=VIEWS))
    batch = seeded_batch()
    batch['inputs'] *= 2
    with pytest.raises(ValueError, match='loader packs 2: remove MultiView'):
        making(batch, training=True)


def test_labels_stay_on_the_host():
    """One by one, they would take as long as a step to reach a GPU."""
    preprocessor = both(**STATISTICS)[1].to('meta')
    samples = [BaseDataElement(gt_label=LabelData(value=torch.ones(1)))]
    data = dict(
        inputs=[torch.zeros(1, 3, 8, 8, dtype=torch.uint8)],
        data_samples=samples)
    views, kept = preprocess(preprocessor, data)
    assert views[0].device.type == 'meta' and kept is samples
    samples[0].mask = torch.ones(2)  # for an algorithm of the host
    _, (moved, ) = preprocess(preprocessor, data)
    assert moved.mask.device.type == moved.gt_label.value.device.type == 'meta'
