"""Mmcv's functions on top of the stand-in, against slow references.

A compiled ``mmcv._ext`` is compared with them too if it is installed.
"""
import math
import sys

import mmcv.ops
import numpy as np
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


def boxes(count, size):
    noise = torch.Generator().manual_seed(0)
    corners = torch.rand(count, 2, 2, generator=noise) * size
    low, high = corners.amin(1), corners.amax(1) + 1
    return torch.cat((low, high), 1)  # (count, 4)


def slow_nms(boxes, scores, threshold, offset):
    """Compare areas in float64, and their ratio in float32."""

    def area(left, top, right, bottom):
        return (right - left + offset) * (bottom - top + offset)

    kept = []
    boxes = boxes.double().tolist()
    for index in scores.argsort(descending=True, stable=True).tolist():
        box = boxes[index]
        for better in (boxes[other] for other in kept):
            corner = [*map(max, box[:2], better[:2])]
            opposite = [*map(min, box[2:], better[2:])]
            shared = math.prod(
                max(high - low + offset, 0)
                for low, high in zip(corner, opposite))
            union = area(*box) + area(*better) - shared
            if union and np.float32(shared / union) > np.float32(threshold):
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


@pytest.mark.parametrize('tenths', range(1, 10))
def test_boxes_whose_overlap_is_the_threshold_are_kept(tenths):
    pair = torch.tensor([[0., 0, 10, 1], [0, 0, tenths, 1]])
    scores = torch.tensor([1., 0.5])
    for threshold, kept in (tenths / 10, [0, 1]), (tenths / 10 - 1e-6, [0]):
        assert mmcv.ops.nms(pair, scores, threshold)[1].tolist() == kept


@pytest.mark.parametrize('offset', [0, 1])
@pytest.mark.parametrize('threshold', [0.0, 0.25, 0.3, 0.5, 1.0])
def test_nms_of_equal_scores_and_empty_and_inverted_boxes(
        offset, threshold, served):
    noise = torch.Generator().manual_seed(1)
    found = torch.randint(0, 5, (120, 4), generator=noise).float()
    scores = torch.randperm(120, generator=noise) / 120
    if served == 'stand-in':  # compiled: in any order
        scores = (scores * 3).ceil() / 3
    dets, kept = mmcv.ops.nms(found, scores, threshold, offset=offset)
    assert kept.tolist() == slow_nms(found, scores, threshold, offset)


def test_batched_nms():
    """Boxes of other classes stay."""
    noise = torch.Generator().manual_seed(1)
    found = torch.randint(0, 5, (60, 4), generator=noise).float()
    scores = torch.rand(60, generator=noise)
    classes = torch.arange(60) % 3
    settings = dict(type='nms', iou_threshold=0.25)
    kept = mmcv.ops.batched_nms(found, scores, classes, settings)[1]
    wanted = []
    for label in range(3):
        own = (classes == label).nonzero()[:, 0]
        wanted += own[slow_nms(found[own], scores[own], 0.25, 0)].tolist()
    assert kept.tolist() == sorted(
        wanted, key=scores.neg().tolist().__getitem__)


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
                    total = sum(values, image.new_zeros(()))
                    out.append(total / max(len(values), 1))
    return torch.stack(out).view(len(rois), -1, size, size)


# Left, top, right and bottom, in pixels of 2 cells
BORDERS = [
    [0, 0, 22, 18],  # all of the map
    [-2, -2, 24, 20],  # a cell more
    [-9, -9, -2, -2],  # ends a cell before it
    [22, 18, 30, 30],  # begins at its end
    [-40, -40, -30, -30],  # far outside
    [4, 4, 4, 4],  # without a size
    [-2, 3, -2, 9],  # without a width, at -1 where boxes are not aligned
    [-1, -1, -1, -1],  # ... where they are
    [23, 19, 23, 19],  # at height and width, where they are
]


@pytest.mark.parametrize('rois', [boxes(3, 20), torch.tensor(BORDERS)])
@pytest.mark.parametrize('aligned', [True, False])
@pytest.mark.parametrize('sampling', [0, 2])
def test_roi_align(aligned, sampling, rois):
    if not aligned:  # boxes of negative size are taken for a pixel
        rois = torch.cat((rois, rois[:, [2, 3, 0, 1]]))
    count = len(rois)
    features = torch.rand(2, 2, 9, 11, dtype=torch.float64)
    rois = torch.cat((torch.arange(count)[:, None] % 2, rois), 1).double()
    weight = torch.rand(count, 2, 3, 3, dtype=torch.float64)
    results = []
    for function in (slow_roi_align, mmcv.ops.roi_align):
        leaf = features.clone().requires_grad_()
        settings = (3, 0.5, sampling, aligned)
        if function is mmcv.ops.roi_align:
            settings = (3, 0.5, sampling, 'avg', aligned)
        pooled = function(leaf, rois, *settings)
        (pooled * weight).sum().backward()
        results.append((pooled.detach(), leaf.grad))
    for one, other in zip(*results):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-9)


def test_roi_align_without_boxes():
    leaf = torch.rand(2, 3, 4, 4, requires_grad=True)
    pooled = mmcv.ops.roi_align(leaf, torch.zeros(0, 5), 2)
    assert pooled.shape == (0, 3, 2, 2)
    pooled.sum().backward()
    assert not leaf.grad.any()


@pytest.mark.parametrize('sampling', [0, 2])
@pytest.mark.parametrize('value', [math.nan, math.inf, -math.inf, 3.5])
def test_boxes_that_no_rule_covers_are_refused(value, sampling, served):
    """Torchvision crashes on some of them."""
    if served == 'compiled':
        return
    image, rois = torch.rand(1, 1, 4, 4), torch.tensor([[0, value, 0, 2, 2]])
    for aligned in [True, False][:1 if value == 3.5 else 2]:
        with pytest.raises(
                ValueError, match=rf'not finite .* size, \[{value}, 0'):
            mmcv.ops.roi_align(image, rois, 2, 1., sampling, 'avg', aligned)


def slow_focal_loss(logits, target, weight, gamma, alpha):
    """Sum of the losses, and the derivative of each."""
    total, slopes = 0., []
    least = torch.finfo(torch.float32).tiny
    for row, label in zip(logits.tolist(), target.tolist()):
        for column, logit in enumerate(row):
            p, q = 1 / (1 + math.exp(-logit)), 1 / (1 + math.exp(logit))
            log_p, log_q = math.log(max(p, least)), math.log(max(q, least))
            scale = weight[label].item() if 0 <= label < len(weight) else 1.
            if column == label:
                loss = -alpha * q**gamma * log_p
                slope = -alpha * q**gamma * (q - gamma * p * log_p)
            else:
                loss = -(1 - alpha) * p**gamma * log_q
                slope = -(1 - alpha) * p**gamma * (gamma * q * log_q - p)
            total += loss * scale
            slopes.append(slope * scale)
    return (torch.tensor(total, dtype=logits.dtype),
            torch.tensor(slopes, dtype=logits.dtype).view_as(logits))


@pytest.mark.parametrize('dtype', [torch.float64, torch.float32])
@pytest.mark.parametrize('gamma', [0., 0.5, 1., 2.])
def test_sigmoid_focal_loss(gamma, dtype, served):
    logits = torch.randn(7, 3) * 3
    logits[:4] = torch.tensor([0., -20, 20])
    logits[4], logits[5] = torch.tensor([-99., 50, 99]), -99
    logits = logits.to(dtype)
    target = torch.tensor([0, 1, 2, 3, 0, -1, 2])  # 3 is the background
    weight = torch.tensor([1., 2., 0.5], dtype=dtype)
    if served == 'compiled':  # for GPUs only
        with pytest.raises(RuntimeError, match='device cpu not found'):
            mmcv.ops.sigmoid_focal_loss(logits, target, gamma, 0.25, weight)
        return
    for weights in (weight, None):
        leaf = logits.clone().requires_grad_()
        loss = mmcv.ops.sigmoid_focal_loss(leaf, target, gamma, 0.25, weights,
                                           'sum')
        loss.backward()
        wanted = slow_focal_loss(logits, target,
                                 [] if weights is None else weights, gamma,
                                 0.25)
        for one, other in zip((loss.detach(), leaf.grad), wanted):
            torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-9)


def test_focal_loss_without_boxes(served):
    if served == 'compiled':
        return
    leaf = torch.zeros(0, 3, requires_grad=True)
    loss = mmcv.ops.sigmoid_focal_loss(leaf,
                                       torch.zeros(0).long(), 2.0, 0.25, None,
                                       'sum')
    loss.backward()
    assert loss == 0 and leaf.grad.shape == (0, 3)


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
                            y * stride[0] - padding[0] +
                            tap // columns * dilation[0] + shift[0])
                        at_x = (
                            x * stride[1] - padding[1] +
                            tap % columns * dilation[1] + shift[1])
                        value = deform_bilinear(images[image, channel], at_y,
                                                at_x)
                        if value is None:  # without a gradient to the mask
                            taps.append(images.new_zeros(()))
                        else:
                            taps.append(value * mask[image, group, tap, y, x])
    taps = torch.stack(taps).view(count, groups, -1, *out_shape[2:])
    kernels = weight.view(groups, weight.size(0) // groups, -1)
    out = torch.einsum('ngkyx,gok->ngoyx', taps, kernels).flatten(1, 2)
    return out + bias.view(-1, 1, 1)


def deform_bilinear(image, y, x):
    """Value of a zero-padded image, differentiable in y and x from below.

    None at -1 or below, at the height or width or beyond, and at NaN.
    """
    height, width = image.shape
    if not (-1 < y < height and -1 < x < width):
        return None
    total = image.new_zeros(())
    top, left = math.floor(y.detach()), math.floor(x.detach())
    for row, down in ((top, top + 1 - y), (top + 1, y - top)):
        for column, along in ((left, left + 1 - x), (left + 1, x - left)):
            if 0 <= row < height and 0 <= column < width:
                total = total + image[row, column] * down * along
    return total


def whole(*shape):
    """Offsets to borders and beyond, some of them in both directions."""
    offset = torch.randint(-4, 5, shape).double()
    offset.view(-1)[1::7] += 0.5
    offset.view(-1)[2::11] = math.inf
    offset.view(-1)[2::13] = -math.inf
    return offset


@pytest.mark.parametrize('modulated', [True, False])
@pytest.mark.parametrize('offsets', [torch.zeros, torch.randn, whole])
@pytest.mark.parametrize(
    'kernel, stride, padding, dilation, groups, deform_groups',
    [((3, 3), (2, 2), (1, 1), (1, 1), 1, 1),
     ((2, 3), (2, 1), (1, 2), (1, 2), 2, 2)])
def test_deformable_convolution(kernel, stride, padding, dilation, groups,
                                deform_groups, offsets, modulated):

    def noise(*shape):
        return torch.randn(*shape, dtype=torch.float64)

    images, weight = noise(2, 4, 4, 5), noise(4, 4 // groups, *kernel)
    outer = noise(
        *conv2d(images, weight, None, stride, padding, dilation, groups).shape)
    taps = deform_groups * kernel[0] * kernel[1]
    leaves = dict(
        images=images,
        offset=offsets(2, 2 * taps, *outer.shape[2:]).double(),
        mask=noise(2, taps, *outer.shape[2:]).sigmoid(),
        weight=weight,
        bias=noise(4))
    if not modulated:
        leaves['mask'].fill_(1)
        leaves['bias'].fill_(0)

    def theirs(images, offset, mask, weight, bias, *settings):
        if modulated:
            return mmcv.ops.modulated_deform_conv2d(images, offset, mask,
                                                    weight, bias, *settings)
        return mmcv.ops.deform_conv2d(images, offset, weight, *settings)

    results = []
    for function in (slow_deform_conv, theirs):
        own = {k: v.clone().requires_grad_() for k, v in leaves.items()}
        out = function(*own.values(), stride, padding, dilation, groups,
                       deform_groups)
        (out * outer).sum().backward()
        results.append([out.detach()] + [
            leaf.grad for name, leaf in own.items()
            if modulated or name not in ('mask', 'bias')
        ])
    for one, other in zip(*results):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-9)


def test_border_of_a_deformable_convolution_at_initialization():
    """Values of the compiled operator."""
    layer = mmcv.ops.ModulatedDeformConv2dPack(
        1, 1, 2, stride=1, padding=1, bias=False)
    torch.nn.init.ones_(layer.weight)
    layer(torch.tensor([[1., 2., 3.]] * 3)[None, None]).sum().backward()
    assert layer.conv_offset.bias.grad.tolist() == [
        -3, -1.5, -3, -1.5, -3, -1.5, -3, -1.5, 4.5, 4.5, 4.5, 4.5
    ]


@pytest.mark.parametrize('place', [(0, 0), (4, 1)])
def test_samples_at_nan_are_empty(place, served):
    """Torchvision crashes on them."""
    if served == 'compiled':  # so does its backward pass
        return
    results = []
    for value in (math.nan, 1e9):
        offset = torch.zeros(1, 18, 3, 3)
        offset[0, 2 * place[0] + place[1], 1, 1] = value
        leaves = [
            leaf.requires_grad_()
            for leaf in (torch.arange(9.).view(1, 1, 3, 3), offset,
                         torch.ones(1, 9, 3, 3), torch.ones(1, 1, 3, 3))
        ]
        out = mmcv.ops.modulated_deform_conv2d(*leaves, None, 1, 1)
        out.sum().backward()
        results.append([out.detach(), *(leaf.grad for leaf in leaves)])
    assert all(map(torch.equal, *results))


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_mixed_precision(dtype, served):
    if served == 'compiled':
        return
    torch.manual_seed(0)
    image = torch.rand(1, 2, 5, 5)
    rois = torch.tensor([[0., 0, 0, 4, 4]])
    layers = (mmcv.ops.DeformConv2dPack(2, 2, 3, padding=1),
              mmcv.ops.ModulatedDeformConv2dPack(2, 2, 3, padding=1))
    results = []
    for enabled in (True, False):
        leaf = image.clone().requires_grad_()
        with torch.autocast('cpu', dtype, enabled=enabled):
            maps = torch.cat([layer(leaf) for layer in layers])
            pooled = mmcv.ops.roi_align(maps, rois, 2)
        (pooled.float().sum() + maps.float().sum()).backward()
        results.append((pooled.float(), leaf.grad))
    for one, other in zip(*results):
        torch.testing.assert_close(one, other, rtol=0.02, atol=0.02)


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
