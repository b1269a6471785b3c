"""Against the transforms of mmselfsup."""
import numpy as np
import pytest
import torch
from mmcv.transforms import BaseTransform
from mmengine.dataset import default_collate
from mmengine.registry import TRANSFORMS

from mmregioncl.datasets.transforms import ContrastiveCrop, MultiView


class Eraser(BaseTransform):
    """Writes to the image."""

    def transform(self, results):
        results['img'][:] = 0
        return results


class RandomResizedCrop(Eraser):
    """Another package's, which changes its input."""


@pytest.fixture
def img():
    return np.random.randint(1, 256, (42, 64, 3), 'uint8')


def test_views_leave_the_image_alone(img):
    before = img.copy()
    crop = dict(type='mmregioncl.RandomResizedCrop', size=32)
    views = MultiView(
        num_views=[2, 1, 1, 1, 1],
        transforms=[[crop, Eraser()], [], [Eraser()], [RandomResizedCrop()],
                    [ContrastiveCrop(32, fixed_box=(0, 0, 1, 1)),
                     Eraser()]])
    results = views(dict(img=img))
    copy = results['img'].pop(2)
    assert (copy == img).all() and copy is not img
    assert [view.shape for view in results['img']
            ] == [(32, 32, 3)] * 2 + [img.shape] * 2 + [(32, 32, 3)]
    assert not any(view.any() for view in results['img'])
    assert (img == before).all()


def test_views_share_nothing_but_the_image(img):
    box = np.zeros(2)

    def enlarge(results):
        results['box'] += 1
        return results

    seen = []
    views = MultiView(
        num_views=3,
        transforms=[[
            dict(type='mmregioncl.RandomResizedCrop', size=32), enlarge,
            lambda results: seen.append(
                (results['box'][0], results['whole'] is img)) or results
        ]])
    views(dict(img=img, whole=img, box=box))
    assert seen == [(1, True)] * 3 and not box.any()


def pack(scope='mmregioncl', **settings):
    return TRANSFORMS.build(
        dict(type=f'{scope}.PackSelfSupInputs', **settings))


@pytest.mark.mmselfsup
def test_packs_the_same_pixels(img):
    for image in (img, img[..., :1], img[..., 0]):
        theirs, ours = (
            pack(scope)(dict(img=[image]))['inputs'][0]
            for scope in ('mmselfsup', 'mmregioncl'))
        assert torch.equal(theirs, ours) and ours.is_contiguous()


def test_packs_no_data_samples_unless_asked(img):
    packed = pack()(dict(img=[img, img[..., :1]]))
    batch = default_collate([packed, packed])
    assert batch['inputs'][0].shape == (2, 3, 42, 64)
    assert batch['data_samples'] == []
    sample = pack(
        algorithm_keys=['gt_label'], meta_keys=['img_path'])(
            dict(img=img, gt_label=3, img_path='a.png'))
    assert sample['data_samples'].gt_label.value == 3
    assert sample['data_samples'].img_path == 'a.png'
    assert torch.equal(sample['inputs'][0], packed['inputs'][0])
    sample = pack(pseudo_label_keys=['angle'])(
        dict(img=img.astype('float32'), angle=2))
    assert sample['data_samples'].pseudo_label.angle == 2
    assert torch.equal(sample['inputs'][0], packed['inputs'][0].float())


def test_what_is_no_image_keeps_its_layout():
    video = np.zeros((1, 2, 3, 4, 4), dtype='float32')
    assert pack()(dict(img=video))['inputs'][0].shape == video.shape


def test_each_pipeline_has_a_number_of_views():
    flip = dict(type='mmregioncl.RandomFlip', prob=0.5)
    assert '2 views: ' in repr(MultiView([[flip]], 2))
    with pytest.raises(ValueError, match='for each of the 1 pipelines'):
        MultiView([[flip]], [2, 1])
