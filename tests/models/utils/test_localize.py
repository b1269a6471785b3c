import pytest
import torch

from mmregioncl.models.utils import (are_whole, check_threshold, covered,
                                     heatmap_to_boxes)


def slow_box(features, image_size, threshold):
    """The definition for one image, in float64, pixel by pixel."""
    channels, rows, columns = features.shape
    heat = features.double().sum(0)
    heat = (heat - heat.min()) / (heat.max() - heat.min())
    heat = heat.tolist()
    height, width = image_size
    values = {}
    for y in range(height):
        for x in range(width):
            # Pixels and cells are squares with their values at the centers.
            at_y = min(max((y + 0.5) * rows / height - 0.5, 0), rows - 1)
            at_x = min(max((x + 0.5) * columns / width - 0.5, 0), columns - 1)
            top, left = int(at_y), int(at_x)
            bottom, right = min(top + 1, rows - 1), min(left + 1, columns - 1)
            down, along = at_y - top, at_x - left
            values[y, x] = ((1 - down) * (1 - along) * heat[top][left] +
                            (1 - down) * along * heat[top][right] + down *
                            (1 - along) * heat[bottom][left] +
                            down * along * heat[bottom][right])
    if threshold == 'mean':
        threshold = sum(values.values()) / len(values)
    ys, xs = zip(*(at for at, value in values.items() if value > threshold))
    return (min(ys) / height, min(xs) / width, max(ys) / height,
            max(xs) / width)


@pytest.mark.parametrize('grid, image_size', [((4, 4), (32, 32)),
                                              ((7, 7), (56, 56)),
                                              ((3, 5), (17, 26))])
@pytest.mark.parametrize('threshold', [0.1, 0.37, 0.85, 'mean'])
def test_boxes_equal_reference(grid, image_size, threshold):
    features = torch.rand(8, 6, *grid)**8  # a few strong cells each
    boxes, degenerate = heatmap_to_boxes(features, image_size, threshold)
    assert boxes.dtype == torch.float32
    for image, box, odd in zip(features, boxes, degenerate):
        if odd:  # no pixel reaches the peak of a small cell
            assert threshold == 0.85
            assert box.tolist() == [0, 0, 1, 1]
        else:
            assert box.tolist() == pytest.approx(
                slow_box(image, image_size, threshold), abs=1e-6)


@pytest.mark.parametrize('grid, pixels, extent', [(4, 32, 14), (8, 64, 14),
                                                  (12, 96, 14), (7, 224, 58)])
def test_one_hot_cell(grid, pixels, extent):
    """The smallest box, of the published code."""
    features = torch.zeros(1, 2, grid, grid)
    features[0, 1, 1, 2] = 3
    boxes, degenerate = heatmap_to_boxes(features, (pixels, pixels), 0.1)
    rows, columns = ((boxes[0, 2:] - boxes[0, :2]) * pixels + 1).tolist()
    assert (round(rows), round(columns)) == (extent, extent)
    assert not degenerate


def test_degenerate_maps_fall_back_to_the_whole_image():
    features = torch.rand(6, 512, 4, 4)
    features[0] = 0
    features[1] = 7.3
    features[2] = torch.rand(512, 1, 1)  # constant but for rounding
    features[3, 0, 0, 0] = float('nan')
    features[4, 0, 0, 0] = float('inf')
    boxes, degenerate = heatmap_to_boxes(features, (32, 32), 0.1)
    assert degenerate.tolist() == [True] * 5 + [False]
    assert boxes[:5].tolist() == [[0, 0, 1, 1]] * 5
    assert boxes[5, 2] < 1
    # A single hot cell stays below 0.88 when it is enlarged eight times.
    features = torch.eye(16).view(16, 1, 4, 4)[5:6]
    assert heatmap_to_boxes(features, (32, 32), 0.9)[1].item()
    assert not heatmap_to_boxes(features, (32, 32), 0.85)[1].item()


def test_full_box_ends_a_pixel_short():
    features = torch.eye(2).flip(0).view(1, 1, 2, 2) + torch.eye(2)
    features[0, 0, 0, 1] = 0.5
    boxes, _ = heatmap_to_boxes(features, (32, 32), 0.0)
    assert boxes[0, 2] == 0.96875


@pytest.mark.parametrize('threshold', [1, -.1, 'median', 'nan', None, [.1]])
def test_thresholds_that_mean_nothing_are_refused(threshold):
    with pytest.raises(ValueError) as caught:
        check_threshold(threshold)
    assert str(caught.value) == (
        f'threshold={threshold!r} of boxes has to be in [0, 1), or "mean"')


def test_a_threshold_may_be_text():
    assert [check_threshold(text) for text in ('.1', 'mean')] == [.1, 'mean']


@pytest.mark.parametrize('side', [7, 224, 699, 1333, 32767])
def test_largest_boxes_are_whole_up_to_rounding(side):
    """A pixel less on one side is not."""
    ends = (
        torch.tensor([[0, 0, side - 1, side - 1], [0, 1, side - 1, side],
                      [0, 0, side - 1, side - 2]]) / side)
    assert are_whole(covered(ends, (side, side))).tolist() == [1, 0, 0]
