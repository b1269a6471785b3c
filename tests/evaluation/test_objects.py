"""Boxes of objects, and how well boxes find them: numbers by hand."""
import json
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.model import BaseModel
from PIL import Image
from torch.nn import functional as F

from mmregioncl.evaluation.localization import find_boxes
from mmregioncl.evaluation.objects import (best_iou, images_with_objects,
                                           random_boxes, read_objects, score)
from mmregioncl.visualization.browse import localize_image

# Two squares of a quarter of the image, and a smaller one
LEFT, RIGHT = [0., 0., .5, .5], [0., .5, .5, 1.]
SMALL = [.0, .0, .25, .25]


def test_iou_with_the_best_object():
    boxes = torch.tensor([LEFT, [0., .25, .5, .75], [0., 0., 1., 1.]])
    objects = [
        torch.tensor([RIGHT, SMALL]),  # touches; a quarter inside
        torch.tensor([LEFT, RIGHT]),  # a half of each: 1/8 of 3/8
        torch.tensor([LEFT])
    ]
    assert best_iou(boxes,
                    objects).tolist() == pytest.approx([.25, 1 / 3, .25])


def test_score_and_its_errors():
    boxes = torch.tensor([LEFT, LEFT, LEFT, [0., 0., 1., 1.]])
    objects = [torch.tensor([box]) for box in (LEFT, LEFT, RIGHT, SMALL)]
    found = score(boxes, objects)
    assert found.corloc == .5
    assert found.corloc_error == pytest.approx(.25)  # sqrt(.5 * .5 / 4)
    # LEFT of image 3 and the whole image are compared with LEFT: 1 and 1/4;
    # two times LEFT with RIGHT and SMALL
    assert found.chance == .25
    # Of the images: 0, 1, 0, 0
    assert found.gain == .25
    # Images 1 and 3 are a pair, and so are 2 and 4
    pairs = np.array([0, .5])
    assert found.gain_error == pytest.approx(pairs.std() / 2**.5)
    assert found.iou == pytest.approx((1 + 1 + 0 + 1 / 16) / 4)
    ious = np.array([1, 1, 0, 1 / 16])
    assert found.iou_error == pytest.approx(ious.std() / 2)
    assert found.area == pytest.approx((3 / 4 + 1) / 4)
    assert found.whole == .25


def test_the_last_of_an_odd_number_is_not_in_the_gain():
    boxes = torch.tensor([LEFT, LEFT, RIGHT])
    found = score(boxes, [torch.tensor([box]) for box in (LEFT, RIGHT, RIGHT)])
    assert (found.corloc, found.chance) == (pytest.approx(2 / 3), .5)
    assert (found.gain, found.gain_error) == (0, 0)


def test_error_of_the_gain_is_what_gains_spread():
    """Large boxes find more objects, whichever image they belong to."""
    torch.manual_seed(0)
    found = []
    for _ in range(200):
        boxes = torch.tensor([0., 0., 1., 1.]).repeat(40, 1)
        boxes[torch.rand(40) < .5, 2:] = .5
        object_sides = torch.rand(40, 1) * .3 + .68
        objects = torch.cat((torch.zeros(40, 2), object_sides.repeat(1, 2)), 1)
        found.append(score(boxes, objects[:, None].unbind()))
    spread = np.std([each.gain for each in found])
    error = np.mean([each.gain_error**2 for each in found])**.5
    assert error == pytest.approx(spread, rel=.2)  # of images: 60 % more


def test_a_box_of_half_the_object_counts():
    """An IoU of exactly 0.5, as in the literature."""
    half = torch.tensor([[0., 0., .5, 1.]])
    assert score(half, [torch.tensor([[0., 0., 1., 1.]])]).corloc == 1


def test_coco(tmp_path):
    """Boxes are left, top, width, height; crowds are left out."""
    images = [
        dict(id=7, file_name='val/a.jpg', height=100, width=200),
        dict(id=8, file_name='b.jpg', height=10, width=10)
    ]
    crowd = dict(image_id=8, bbox=[0, 0, 10, 10], iscrowd=1)
    found = dict(image_id=7, bbox=[20, 50, 100, 25], iscrowd=0)
    path = tmp_path / 'val.json'
    path.write_text(
        json.dumps(dict(images=images, annotations=[crowd, found, found])))
    objects = read_objects(path)
    assert list(objects) == ['a.jpg']
    torch.testing.assert_close(objects['a.jpg'],
                               torch.tensor([[.5, .1, .75, .6]] * 2))


def test_tiny_imagenet(tmp_path):
    """The last row and column, 63 at most, belong to the object."""
    path = tmp_path / 'val_annotations.txt'
    path.write_text('val_0.JPEG\tn1\t0\t32\t15\t63\nval_1.JPEG\tn2\t0\t0\t63'
                    '\t63\n')
    objects = read_objects(path)
    assert objects['val_0.JPEG'].tolist() == [[.5, 0, 1, .25]]
    assert objects['val_1.JPEG'].tolist() == [[0, 0, 1, 1]]


def test_names_in_two_folders_are_refused(tmp_path):
    images = [
        dict(id=number, file_name=f'{folder}/ü.jpg', height=9, width=9)
        for number, folder in enumerate('ab')
    ]
    boxes = [dict(image_id=number, bbox=[0, 0, 9, 9]) for number in (0, 1)]
    (tmp_path / 'val.json').write_text(
        json.dumps(dict(images=images, annotations=boxes)), encoding='utf-8')
    with pytest.raises(ValueError, match='val.json has ü.jpg in two folders'):
        read_objects(tmp_path / 'val.json')


def test_missing_files_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match='no file .*val.json: pass'):
        read_objects(tmp_path / 'val.json')


@pytest.mark.parametrize('text', ['', '{}', '{', '{"images": []}', 'a\tb\n'])
def test_other_files_are_refused(tmp_path, text):
    (tmp_path / 'file').write_text(text)
    with pytest.raises(ValueError, match='file has no boxes of objects: use '):
        read_objects(tmp_path / 'file')


def test_random_boxes_are_crops_of_a_fifth_or_more():
    boxes = random_boxes(200, (64, 32), seed=0)
    assert torch.equal(boxes, random_boxes(200, (64, 32), seed=0))
    assert not torch.equal(boxes, random_boxes(200, (64, 32), seed=1))
    assert boxes.min() >= 0 and boxes.max() <= 1
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(1)
    assert areas.min() > .18  # sides are rounded


class Brightness(BaseModel):
    """A network that responds to light, on cells of 4 pixels."""

    def forward(self, inputs, data_samples=None, mode='tensor'):
        view = inputs[0] if isinstance(inputs, list) else inputs
        return F.avg_pool2d(view, 4),


class BrightnessTokens(Brightness):
    """The same, with one token for each cell."""

    def forward(self, *args, **kwargs):
        return super().forward(*args, **kwargs)[0].flatten(2).mT,


PIPELINE = Config(
    dict(
        train_dataloader=dict(
            dataset=dict(pipeline=[
                dict(type='mmregioncl.LoadImage'),
                dict(type='mmregioncl.RandomResizedCrop', size=32)
            ]))))


@pytest.fixture
def lights(tmp_path):
    """Three images: a light at two places, and one without an object."""
    lines = ''
    places = [(8, 12, 16, 28), (0, 0, 12, 8), None]
    for number, place in enumerate(places):
        pixels = np.zeros((32, 32, 3), np.uint8)
        if place:
            top, left, bottom, right = place
            pixels[top:bottom, left:right] = 255
            # In units of 64 pixels, with the last
            lines += (f'{number}.png\tn\t{2 * left}\t{2 * top}\t'
                      f'{2 * right - 1}\t{2 * bottom - 1}\n')
        Image.fromarray(pixels).save(tmp_path / f'{number}.png')
    path = tmp_path / 'val_annotations.txt'
    path.write_text(lines)
    return images_with_objects(PIPELINE, str(tmp_path), path)


def test_boxes_of_a_network_that_sees_the_objects(lights):
    dataset, objects = lights
    model = Brightness(
        dict(
            type='mmregioncl.SelfSupDataPreprocessor',
            mean=[0, 0, 0],
            std=[255, 255, 255]))
    half, low = find_boxes(model, dataset, (32, 32), [.5, .01], 2, 0)
    # Half-way between light and dark, enlarged maps keep the edges.
    assert best_iou(half, objects).tolist() == pytest.approx([1, 1])
    assert half[0].tolist() == [8 / 32, 12 / 32, 16 / 32, 28 / 32]
    assert score(half, objects).corloc == 1
    # A low threshold adds the 2 pixels over which the map falls.
    assert low[0].tolist() == [6 / 32, 10 / 32, 18 / 32, 30 / 32]


def test_tokens_fill_a_grid_of_the_shape_of_the_image(lights):
    dataset, _ = lights
    maps, tokens = (
        kind(dict(type='mmregioncl.SelfSupDataPreprocessor'))
        for kind in (Brightness, BrightnessTokens))
    assert find_boxes(tokens, dataset, (16, 64), [.5], 2, 0).equal(
        find_boxes(maps, dataset, (16, 64), [.5], 2, 0))
    view = torch.zeros(3, 16, 64, dtype=torch.uint8)
    view[:, 4:8, 16:36] = 255
    sample = dict(inputs=[view], data_samples=[])
    assert localize_image(tokens, sample, (16, 64), .5)[1] == localize_image(
        maps, sample, (16, 64), .5)[1] == (.25, .25, .4375, 35 / 64)


def test_images_without_objects_are_refused(lights, tmp_path):
    dataset, objects = lights
    assert len(dataset) == len(objects) == 2
    (tmp_path / 'other.txt').write_text('a.png\tn\t0\t0\t9\t9\n')
    with pytest.raises(ValueError, match='has no objects in the images of'):
        images_with_objects(PIPELINE, str(tmp_path), tmp_path / 'other.txt')


def write_images(root, names):
    """Small images, and a file that says that all are objects."""
    for name in names:
        (root / name).parent.mkdir(exist_ok=True, parents=True)
        Image.new('RGB', (8, 8)).save(root / name)
    path = root / 'objects.txt'
    path.write_text(''.join(f'{name[2:]}\tn\t0\t0\t63\t63\n'
                            for name in names))
    return path


def test_images_are_spread_evenly(tmp_path):
    path = write_images(tmp_path, [f'a/{number}.png' for number in range(5)])
    dataset, objects = images_with_objects(PIPELINE, str(tmp_path), path, 3)
    assert [
        dataset.get_data_info(index)['img_path'][-5:] for index in range(3)
    ] == ['0.png', '2.png', '4.png']
    assert len(objects) == 3
    assert len(images_with_objects(PIPELINE, str(tmp_path), path, 9)[0]) == 5


def test_lost_shades_are_warned_of(tmp_path, monkeypatch):
    """Of these images, which are black."""
    monkeypatch.setattr('mmregioncl.evaluation.data.print_log', said := Mock())
    images_with_objects(PIPELINE, str(tmp_path),
                        write_images(tmp_path, ['a/0.png']))
    assert said.call_args.args[0].startswith(
        f'images of type uint8 of {tmp_path} have values from 0 to 0, of 0 to '
    )


def test_images_in_two_folders_are_refused(tmp_path):
    path = write_images(tmp_path, ['a/0.png', 'b/0.png'])
    with pytest.raises(ValueError, match='has 0.png in two folders'):
        images_with_objects(PIPELINE, str(tmp_path), path)
