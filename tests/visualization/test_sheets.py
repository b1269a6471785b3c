import fcntl
import os
import shutil
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.hooks import RuntimeInfoHook
from mmengine.registry import MODELS
from PIL import Image

from mmregioncl.hooks import SemanticLocalizationHook
from mmregioncl.models.utils import Region, swap_region
from mmregioncl.registry import TRANSFORMS
from mmregioncl.visualization import (box_sheet, browse_boxes, browse_views,
                                      report, to_images, view_sheet)
from mmregioncl.visualization.browse import crop_of, localization_hook
from mmregioncl.visualization.sheets import save, to_colors


def test_sheet_outlines_the_region_in_the_last_column(tmp_path):
    images = np.full((2, 32, 32, 3), 200, np.uint8)
    path = tmp_path / 'new' / 'sheet.png'
    view_sheet(path, dict(a=images, b=images), Region(8, 0, 16, 24))
    sheet = np.array(Image.open(path).convert('RGB')).astype(int)
    green = (sheet[..., 1] > 240) & (sheet[..., [0, 2]].max(-1) < 20)
    columns = np.flatnonzero(green.any(0))
    assert columns.min() > sheet.shape[1] / 2
    assert not list(path.parent.glob('*.part'))


def test_titles_of_many_rows_are_not_cut(tmp_path):
    images = np.full((8, 32, 32, 3), 200, np.uint8)
    view_sheet(tmp_path / 'sheet.png', {'view 1': images, 'view 2': images})
    sheet = np.array(Image.open(tmp_path / 'sheet.png').convert('L'))
    assert sheet[0].min() == 255  # a margin


@pytest.mark.mmselfsup
def test_images_come_back_from_normalized_views(model_cfg):
    preprocessor = MODELS.build(
        dict(
            model_cfg['data_preprocessor'],
            type='mmselfsup.SelfSupDataPreprocessor'))
    bgr = torch.randint(256, (2, 3, 4, 4), dtype=torch.uint8)
    (views, ), _ = preprocessor(dict(inputs=[bgr], data_samples=[]))
    rgb = bgr.flip(1).permute(0, 2, 3, 1).numpy()
    assert np.array_equal(to_images(views, preprocessor), rgb)


@TRANSFORMS.register_module()
class MiddleSwap:
    """A region swap of one's own."""

    def __call__(self, views):
        region = Region(1, 1, 2, 2)
        return swap_region(views, region.scale(8)), region


@pytest.mark.slow
def test_sheets_of_a_config(image_folder, model_cfg, tmp_path):
    """One that crops at random as well; the sheet grows by a histogram."""
    model_cfg['region_swap'] = dict(type='mmregioncl.MiddleSwap')
    crop = dict(type='mmregioncl.RandomResizedCrop', size=32)
    cfg = Config(
        dict(
            model=model_cfg,
            train_dataloader=dict(
                sampler=dict(type='DefaultSampler'),
                collate_fn=dict(type='default_collate'),
                dataset=dict(
                    type='mmregioncl.ImageFolder',
                    data_root=str(image_folder),
                    pipeline=[
                        dict(type='mmregioncl.LoadImage'),
                        dict(
                            type='MultiView', num_views=2,
                            transforms=[[crop]]),
                        dict(type='mmregioncl.PackSelfSupInputs')
                    ]))))
    folder = shutil.copytree(image_folder, tmp_path / 'images')
    (folder / 'cut.jpg').write_bytes(b'no image')  # another is drawn
    cfg.train_dataloader.dataset.data_root = str(folder)
    browse_boxes(cfg, None, tmp_path / 'boxes.png', count=3)
    for draw in (browse_boxes, browse_views):
        with pytest.raises(ValueError, match='count=0 images are too few'):
            draw(cfg, *[None] * (draw is browse_boxes), 'a.png', count=0)
    plain = Image.open(tmp_path / 'boxes.png').size

    crop.update(type='mmregioncl.ContrastiveCrop', alpha=0.1)
    cfg.train_dataloader.dataset.pipeline[1].transforms = [[crop]]
    for swap in (cfg.model.region_swap, dict(size=(1, 2))):
        cfg.model.region_swap = swap
        browse_views(cfg, tmp_path / 'views.png', count=2)  # as in the warm-up
        assert (tmp_path / 'views.png').exists()
    histograms = {2: [0] * 19 + [12], 4: [6] + [0] * 18 + [6]}
    torch.save(
        dict(
            state_dict=MODELS.build(cfg.model).state_dict(),
            ccrop=dict(histograms=histograms)), tmp_path / 'epoch_5.pth')
    browse_boxes(
        cfg, str(tmp_path / 'epoch_5.pth'), tmp_path / 'b.png', count=3)
    assert Image.open(tmp_path / 'b.png').size[1] > plain[1] + 200


def test_two_bands_are_shown_as_gray():
    assert to_colors(np.array([[3, 9]])).tolist() == [[3, 3, 3]]


def test_crops_need_a_random_crop():
    with pytest.raises(ValueError, match='has no RandomResizedCrop or Contra'):
        crop_of(Compose([]), None)


@pytest.mark.parametrize(
    'kind', ['mmregioncl.SemanticLocalizationHook', SemanticLocalizationHook])
def test_boxes_are_found_as_in_the_config(kind):
    hooks = dict(
        logger=None,
        timer=dict(),
        runtime_info=dict(type=RuntimeInfoHook),
        boxes=dict(type=kind, threshold=0.3))
    cfg = Config(dict(default_hooks=hooks))
    assert localization_hook(cfg).threshold == 0.3


def test_box_is_drawn_where_it_is(tmp_path):
    image = np.full((40, 80, 3), 90, np.uint8)
    heat = np.zeros((8, 8))
    box_sheet(tmp_path / 'a.png', [(image, heat, (.5, .5, 1, 1), [])], {})
    sheet = np.array(Image.open(tmp_path / 'a.png').convert('RGB')).astype(int)
    green = (sheet[..., 1] > 240) & (sheet[..., [0, 2]].max(-1) < 20)
    rows, columns = (np.flatnonzero(green.any(axis)) for axis in (1, 0))
    assert rows.max() - rows.min() < (columns.max() - columns.min()) / 2
    grey = np.flatnonzero((abs(sheet - 90).max(-1) < 3).any(1))
    assert rows.min() > grey.min() + 10  # the lower half


def test_evaluations_into_one_folder_wait_for_each_other(
        tmp_path, monkeypatch):
    """Also while they read: the last report has the results of all."""
    folder = tmp_path / 'new'

    def work(*args, **kwargs) -> None:
        descriptor = os.open(folder, os.O_RDONLY)
        with pytest.raises(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(descriptor)
        raise KeyError

    monkeypatch.setattr(report, 'read_runs', work)
    with pytest.raises(KeyError):
        report.write_report(folder / 'report.html', [folder])
    with pytest.raises(KeyError):
        save(Mock(savefig=work), folder / 'a.png')
