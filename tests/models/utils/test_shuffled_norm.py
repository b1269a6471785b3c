"""One process; several are those of algorithms/shuffle_ranks.py."""
import pytest
import torch
from torch import nn

from mmregioncl.models.utils import ShuffledBatchNorm, in_groups
from mmregioncl.models.utils.shuffled_norm import (moments,
                                                   moments_by_reductions,
                                                   scale_and_shift)

FORMATS = [torch.contiguous_format, torch.channels_last]


@pytest.mark.parametrize('memory_format', FORMATS)
@pytest.mark.parametrize('dtype, rtol', [(torch.bfloat16, 1e-6),
                                         (torch.float32, 1e-6),
                                         (torch.float64, 1e-14)])
def test_moments_tell_the_variance(dtype, rtol, memory_format):
    """Where a mean of squares in float32 would not, and half none at all."""
    rows = 300 + torch.randn(4, 3, 8, 8)
    rows = rows.to(dtype).contiguous(memory_format=memory_format)
    pixels = rows.flatten(2)
    variance = pixels.double().var(2, correction=0)
    for found in (moments(pixels), moments_by_reductions(pixels)):
        assert found.dtype == torch.float64
        mean, square = found
        torch.testing.assert_close(
            mean, pixels.double().mean(2), rtol=rtol, atol=0)
        # A mean that is rounded to float32 does not shift the variance.
        torch.testing.assert_close(
            square - mean**2, variance, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize('memory_format', FORMATS)
@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float32])
def test_scale_and_shift(dtype, memory_format):
    rows = torch.randn(4, 3, 5, 7).to(dtype)
    rows = rows.contiguous(memory_format=memory_format)
    before = rows.clone()
    scale, shift = torch.randn(2, 4, 3)
    found = scale_and_shift(rows, scale, shift)
    assert torch.equal(rows, before)
    assert found.is_contiguous(memory_format=memory_format)
    wanted = rows.double() * scale[..., None, None] + shift[..., None, None]
    torch.testing.assert_close(found, wanted.to(dtype))


@pytest.mark.parametrize('memory_format', FORMATS)
@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float32])
def test_one_group_is_plain_batch_norm(dtype, memory_format):
    plain = nn.Sequential(nn.BatchNorm2d(3, momentum=0.3), nn.BatchNorm2d(3))
    shuffled = nn.Sequential(
        nn.BatchNorm2d(3, momentum=0.3), nn.BatchNorm2d(3))
    ShuffledBatchNorm.convert(shuffled)
    assert shuffled.state_dict().keys() == plain.state_dict().keys()
    rows = torch.randn(4, 3, 5, 7).to(dtype)
    rows = rows.contiguous(memory_format=memory_format)
    groups = torch.ones(4, 1, dtype=torch.float64)
    for _ in range(2):
        with in_groups([*shuffled], groups):
            torch.testing.assert_close(shuffled(rows), plain(rows))
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(shuffled.state_dict()[name], value)


def test_constant_channels():
    """Their variance is 0, and not less by rounding."""
    norm = nn.BatchNorm1d(100, eps=1e-30).double()
    ShuffledBatchNorm.convert(norm)
    with in_groups([norm], torch.ones(6, 1, dtype=torch.float64)):
        rows = 1000 * torch.rand(1, 100, dtype=torch.float64)
        assert norm(rows.expand(6, 100)).isfinite().all()


def test_only_inside_of_it():
    norm = nn.BatchNorm1d(3)
    ShuffledBatchNorm.convert(norm)
    with pytest.raises(KeyError), in_groups([norm], torch.ones(2, 1)):
        assert norm.groups is not None
        raise KeyError
    assert norm.groups is None
    rows = torch.randn(4, 3)
    assert torch.equal(norm(rows), nn.BatchNorm1d(3)(rows))


def test_what_is_more_than_batch_norm_stays():

    class Activated(nn.BatchNorm2d):

        def forward(self, rows):
            return super().forward(rows).relu()

    encoder = nn.Sequential(Activated(3), nn.SyncBatchNorm(3))
    ShuffledBatchNorm.convert(encoder)
    assert type(encoder[0]) is Activated
    assert type(encoder[1]) is nn.SyncBatchNorm
