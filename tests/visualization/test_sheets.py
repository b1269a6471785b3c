import json

import numpy as np
import pytest
import torch
from mmengine.registry import MODELS
from PIL import Image

from mmregioncl.models.utils import Region
from mmregioncl.visualization import (fit_region_swap, loss_curve, to_images,
                                      view_sheet)


def test_sheet_outlines_the_region_in_the_last_column(tmp_path):
    images = np.full((2, 32, 32, 3), 200, np.uint8)
    path = tmp_path / 'new' / 'sheet.png'
    view_sheet(path, dict(a=images, b=images), Region(8, 0, 16, 24))
    sheet = np.array(Image.open(path).convert('RGB')).astype(int)
    green = (sheet[..., 1] > 240) & (sheet[..., [0, 2]].max(-1) < 20)
    columns = np.flatnonzero(green.any(0))
    assert columns.min() > sheet.shape[1] / 2
    assert not list(path.parent.glob('*.part'))


def test_images_come_back_from_normalised_views(model_cfg):
    preprocessor = MODELS.build(
        dict(
            type='mmselfsup.SelfSupDataPreprocessor',
            **model_cfg['data_preprocessor']))
    bgr = torch.randint(256, (2, 3, 4, 4), dtype=torch.uint8)
    (views, ), _ = preprocessor(dict(inputs=[bgr], data_samples=[]))
    rgb = bgr.flip(1).permute(0, 2, 3, 1).numpy()
    assert np.array_equal(to_images(views, preprocessor), rgb)


@pytest.mark.parametrize('backbone, size, expected', [
    (dict(type='mmselfsup.ResNet', depth=18), (224, 224), ((3, 5), 32)),
    (dict(type='mmselfsup.ResNet', depth=18), (224, 448), ((3, 5), 32)),
    (dict(type='mmcls.ResNet_CIFAR', depth=18), (32, 32), ((2, 3), 8)),
])
def test_regions_fit_the_backbone(backbone, size, expected):
    swap = fit_region_swap(MODELS.build(backbone), size)
    assert (swap['size'], swap['stride']) == expected


def test_loss_curve_of_the_last_run(tmp_path):
    for stamp in ('20260101', '20260102'):
        folder = tmp_path / stamp / 'vis_data'
        folder.mkdir(parents=True)
        rows = [dict(step=i, loss=9. - i, loss_region=4.) for i in range(3)]
        rows.append(dict(step=3, accuracy=1))
        (folder / 'scalars.json').write_text('\n'.join(map(json.dumps, rows)))
    loss_curve(tmp_path / 'loss.png', tmp_path)
    assert Image.open(tmp_path / 'loss.png').size == (720, 420)

    with pytest.raises(FileNotFoundError, match='give the work dir of a run'):
        loss_curve(tmp_path / 'loss.png', tmp_path / 'nowhere')
