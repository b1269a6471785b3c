"""Mmcv's functions on top of the stand-in, against slow references.

A compiled ``mmcv._ext`` is compared with them too if it is installed.
"""
import math
import sys

import mmcv.ops
import pytest
import torch
from torch.nn.functional import conv2d

from mmregioncl.compat import mmcv_operators

INSTALLED = sys.modules['mmcv._ext']
STAND_IN = INSTALLED.__spec__.loader is None
MODULES = ('nms', 'roi_align', 'roi_pool', 'focal_loss', 'deform_conv',
           'modulated_deform_conv')


@pytest.fixture(
    autouse=True, params=['stand-in'] + ['compiled'] * (not STAND_IN))
def served(request, monkeypatch):
    module = INSTALLED
    if request.param == 'stand-in':
        module = mmcv_operators.stand_in()
    for name in MODULES:
        monkeypatch.setattr(sys.modules[f'mmcv.ops.{name}'], 'ext_module',
                            module)
    return request.param


def boxes(count, size, seed=0):
    noise = torch.Generator().manual_seed(seed)
    corners = torch.rand(count, 2, 2, generator=noise) * size
    low, high = corners.amin(1), corners.amax(1) + 1
    return torch.cat((low, high), 1)  # (count, 4)


def slow_nms(boxes, scores, threshold, offset):

    def area(box):
        return ((box[2] - box[0] + offset).clamp(0) *
                (box[3] - box[1] + offset).clamp(0))

    kept = []
    for index in scores.argsort(descending=True).tolist():
        box = boxes[index].double()
        for other in kept:
            better = boxes[other].double()
            shared = area(
                torch.cat((torch.maximum(box[:2], better[:2]),
                           torch.minimum(box[2:], better[2:]))))
            if shared / (area(box) + area(better) - shared) > threshold:
                break
        else:
            kept.append(index)
    return kept


@pytest.mark.parametrize('offset', [0, 1])
@pytest.mark.parametrize('threshold', [0.2, 0.5, 0.8])
def test_nms(offset, threshold):
    found, scores = boxes(60, 30), torch.rand(60)
    dets, kept = mmcv.ops.nms(found, scores, threshold, offset=offset)
    assert kept.tolist() == slow_nms(found, scores, threshold, offset)
    assert torch.equal(dets, torch.cat((found, scores[:, None]), 1)[kept])
    assert mmcv.ops.nms(found[:0], scores[:0], threshold)[1].shape == (0, )


def bilinear(image, y, x):
    """Value of an (H, W) image, 0 more than a pixel outside of it."""
    height, width = image.shape
    if not (-1 <= y <= height and -1 <= x <= width):
        return image.new_zeros(())
    y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
    top, left = int(y), int(x)
    bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
    down, along = y - top, x - left
    return ((1 - down) * (1 - along) * image[top, left] +
            (1 - down) * along * image[top, right] + down *
            (1 - along) * image[bottom, left] +
            down * along * image[bottom, right])


def slow_roi_align(features, rois, size, scale, sampling, aligned):
    """Mean over the points in each bin of each box, in float64."""
    out = []
    for index, *box in rois.tolist():
        left, top, right, bottom = (edge * scale - aligned / 2 for edge in box)
        width, height = right - left, bottom - top
        if not aligned:  # at least one pixel
            width, height = max(width, 1.), max(height, 1.)
        points = [
            sampling or math.ceil(side / size) for side in (height, width)
        ]
        for image in features[int(index)]:
            for row in range(size):
                for column in range(size):
                    values = [
                        bilinear(
                            image, top + height / size *
                            (row + (down + .5) / points[0]), left +
                            width / size * (column + (along + .5) / points[1]))
                        for down in range(points[0])
                        for along in range(points[1])
                    ]
                    out.append(sum(values) / max(len(values), 1))
    return torch.stack(out).view(len(rois), -1, size, size)


@pytest.mark.parametrize('aligned', [True, False])
@pytest.mark.parametrize('sampling', [0, 2])
def test_roi_align(aligned, sampling):
    features = torch.rand(2, 2, 9, 11, dtype=torch.float64)
    rois = torch.cat((torch.tensor([[0.], [1], [1]]), boxes(3, 20)), 1)
    weight = torch.rand(3, 2, 3, 3, dtype=torch.float64)
    results = []
    for function in (slow_roi_align, mmcv.ops.roi_align):
        leaf = features.clone().requires_grad_()
        settings = (3, 0.5, sampling, aligned)
        if function is mmcv.ops.roi_align:
            settings = (3, 0.5, sampling, 'avg', aligned)
        pooled = function(leaf, rois.double(), *settings)
        (pooled * weight).sum().backward()
        results.append((pooled.detach(), leaf.grad))
    for one, other in zip(*results):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-9)


def test_sigmoid_focal_loss(served):
    logits = torch.randn(6, 3, dtype=torch.float64) * 3
    target = torch.tensor([0, 1, 2, 3, 3, 0])  # 3 is the background
    weight = torch.tensor([1., 2., 0.5], dtype=torch.float64)

    def slow(logits):
        total = 0.
        for row, label in zip(logits, target.tolist()):
            for column, logit in enumerate(row):
                p = 1 / (1 + torch.exp(-logit))
                loss = (-0.25 * (1 - p)**2 *
                        p.log() if column == label else -0.75 * p**2 *
                        (1 - p).log())
                total += loss * (weight[label] if label < 3 else 1)
        return total

    if served == 'compiled':  # for GPUs only
        with pytest.raises(RuntimeError, match='device cpu not found'):
            mmcv.ops.sigmoid_focal_loss(logits, target, 2.0, 0.25, weight)
        return
    results = []
    for function in (slow, lambda x: mmcv.ops.sigmoid_focal_loss(
            x, target, 2.0, 0.25, weight, 'sum')):
        leaf = logits.clone().requires_grad_()
        loss = function(leaf)
        loss.backward()
        results.append((loss.detach(), leaf.grad))
    for one, other in zip(*results):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-9)


def slow_deform_conv(images, offset, mask, weight, bias, stride, padding,
                     dilation, groups, deform_groups):
    """Each tap reads the image at its offset."""
    count, channels, height, width = images.shape
    rows, columns = weight.shape[-2:]
    out_shape = conv2d(images, weight, None, stride, padding, dilation,
                       groups).shape
    offset = offset.unflatten(1, (deform_groups, rows * columns, 2))
    mask = mask.unflatten(1, (deform_groups, rows * columns))
    taps = []
    for image in range(count):
        for channel in range(channels):
            group = channel * deform_groups // channels
            for tap in range(rows * columns):
                for y in range(out_shape[2]):
                    for x in range(out_shape[3]):
                        shift = offset[image, group, tap, :, y, x]
                        at_y = (
                            y * stride - padding + tap // columns * dilation +
                            shift[0])
                        at_x = (
                            x * stride - padding + tap % columns * dilation +
                            shift[1])
                        value = deform_bilinear(images[image, channel], at_y,
                                                at_x)
                        taps.append(value * mask[image, group, tap, y, x])
    taps = torch.stack(taps).view(count, groups, -1, *out_shape[2:])
    kernels = weight.view(groups, weight.size(0) // groups, -1)
    out = torch.einsum('ngkyx,gok->ngoyx', taps, kernels).flatten(1, 2)
    return out + bias.view(-1, 1, 1)


def deform_bilinear(image, y, x):
    """Value of a zero-padded image, differentiable in y and x."""
    height, width = image.shape
    total = image.new_zeros(())
    top, left = math.floor(y), math.floor(x)
    for row in (top, top + 1):
        for column in (left, left + 1):
            if 0 <= row < height and 0 <= column < width:
                total = total + image[row, column] * (1 - (y - row).abs()) * (
                    1 - (x - column).abs())
    return total


@pytest.mark.parametrize('groups, deform_groups', [(1, 1), (2, 2)])
@pytest.mark.parametrize('modulated', [True, False])
def test_deformable_convolution(groups, deform_groups, modulated):

    def noise(*shape):
        return torch.randn(*shape, dtype=torch.float64)

    leaves = dict(
        images=noise(2, 4, 5, 6),
        offset=noise(2, deform_groups * 18, 3, 3),
        mask=noise(2, deform_groups * 9, 3, 3).sigmoid(),
        weight=noise(4, 4 // groups, 3, 3),
        bias=noise(4))
    if not modulated:
        leaves['mask'].fill_(1)
        leaves['bias'].fill_(0)
    outer = noise(2, 4, 3, 3)

    def theirs(images, offset, mask, weight, bias, *settings):
        if modulated:
            return mmcv.ops.modulated_deform_conv2d(images, offset, mask,
                                                    weight, bias, *settings)
        return mmcv.ops.deform_conv2d(images, offset, weight, *settings)

    results = []
    for function in (slow_deform_conv, theirs):
        own = {k: v.clone().requires_grad_() for k, v in leaves.items()}
        out = function(*own.values(), 2, 1, 1, groups, deform_groups)
        (out * outer).sum().backward()
        results.append([out.detach()] + [
            leaf.grad for name, leaf in own.items()
            if modulated or name not in ('mask', 'bias')
        ])
    for one, other in zip(*results):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-9)


def test_missing_operators_are_named(served):
    if served == 'compiled':
        return
    image = torch.rand(1, 1, 4, 4)
    with pytest.raises(
            NotImplementedError, match='^softnms is an operator of the full'):
        mmcv.ops.soft_nms(boxes(4, 9), torch.rand(4))
    with pytest.raises(NotImplementedError, match='^roi_pool_forward is an'):
        mmcv.ops.roi_pool(image, torch.rand(1, 5), 2)
    with pytest.raises(NotImplementedError, match='with pool_mode="max" is'):
        mmcv.ops.roi_align(image, torch.zeros(1, 5), 2, 1., 0, 'max', True)


def test_installed_operators_are_kept():
    """A compiled module, or an earlier stand-in."""
    mmcv_operators.patch()
    assert sys.modules['mmcv._ext'] is INSTALLED
