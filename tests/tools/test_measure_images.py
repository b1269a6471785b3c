"""From images of an unknown kind to a run, with the tool."""
import numpy as np
import pytest
import tifffile
import torch
from mmengine.config import Config
from PIL import Image

from mmregioncl.datasets import ImageFolder, measure
from mmregioncl.hooks import OnlineKNNHook


@pytest.fixture
def bands(tmp_path):
    """12 images of 4 bands with 12 bits, of two classes."""
    draw = np.random.default_rng(0)
    for index in range(12):
        name = 'ab'[index % 2]
        folder = tmp_path / 'bands' / name
        folder.mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(
            folder / f'{index}.tif',
            draw.integers(0, (1000, 4096)[index % 2], (40, 40, 4), 'uint16'),
            photometric='minisblack',
            planarconfig='contig')
    return tmp_path / 'bands'


@pytest.fixture
def config(runner_cfg, bands, tmp_path):
    runner_cfg.train_dataloader.dataset.data_root = str(bands)
    runner_cfg.train_dataloader.dataset.pipeline[1].transforms[0].append(
        dict(type='mmregioncl.ColorJitter', brightness=0.4, contrast=0.4))
    runner_cfg.dump(path := tmp_path / 'config.py')
    return path


def test_from_bands_to_a_run(config, bands, run_tool, train, tmp_path):
    """The config that the tool writes trains, evaluates and is browsed."""
    tool = 'analysis_tools/measure_images.py'
    shown = run_tool(tool, config, '--channels', 4, '--out', 'new.py').stdout
    assert shown.startswith('# 12 images of type uint16, 4 band(s)\n')
    assert shown.splitlines()[-4] == '# written to new.py'
    assert shown.endswith('/browse_views.py CONFIG views.png\n')
    assert '{' not in shown
    cfg = Config.fromfile(tmp_path / 'new.py')
    load = cfg.train_dataloader.dataset.pipeline[0]
    for low, high in load.value_range:
        assert 0 <= low < 20 and 4075 < high <= 4095
    # uniform up to 1000 and up to 4096, by halves
    mean, std = (
        np.array(cfg.model.data_preprocessor[key]) for key in ('mean', 'std'))
    values = np.r_[np.arange(0, 1000, 1000 / 4096), np.arange(4096)] / 4095
    assert mean == pytest.approx(255 * values.mean(), rel=0.02)
    assert std == pytest.approx(255 * values.std(), rel=0.02)
    knn = OnlineKNNHook(str(bands), str(bands), k=[1], temperature=[0.1])
    record = train(cfg, tmp_path / 'run', knn=knn)
    assert np.isfinite(record.losses).all()
    weights = torch.load(tmp_path / 'run/epoch_2.pth')['state_dict']
    assert weights['backbone.conv1.weight'].shape[1] == 4
    run_tool('analysis_tools/browse_views.py', 'new.py', 'views.png',
             '--count', 2)
    run_tool('analysis_tools/browse_boxes.py', 'new.py', 'none', 'boxes.png',
             '--count', 1)


@pytest.mark.parametrize('channels', [[], ['--channels', 1]])
def test_gray_images_are_told(runner_cfg, run_tool, tmp_path, channels):
    (tmp_path / 'gray').mkdir()
    pixels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    Image.fromarray(pixels).save(tmp_path / 'gray/a.png')
    runner_cfg.train_dataloader.dataset.data_root = str(tmp_path / 'gray')
    runner_cfg.dump(path := tmp_path / 'config.py')
    shown = run_tool('analysis_tools/measure_images.py', path, *channels)
    told = '# they are gray, and are measured as 3 equal bands' in shown.stdout
    assert told == (not channels)


def test_values_that_mark_missing_data_are_told():
    """Alone at an edge of the range, which would take most of the shades."""
    values = np.linspace(0, 3000, 2000, dtype=np.float32)
    values[:200] = -9999
    values[200] = np.inf
    found = measure.find_fill(values[:, None], (0.1, 99.9))
    assert [*found] == [(0, -9999, pytest.approx(200 / 1999))]
    values[:199] = 10  # a single pixel is left out by the percentiles
    assert not [*measure.find_fill(values[:, None], (0.1, 99.9))]
    assert not [*measure.find_fill(values[:, None], (10.1, 99.9))]


def test_infinite_values_are_left_out():
    values = np.array([[np.inf], [1], [np.nan], [3], [-np.inf]])
    assert measure.value_range(values, (0, 100)) == (1, 3)
    with pytest.raises(ValueError, match='band 0 has no finite values'):
        measure.value_range(values[:1], (0, 100))


def test_files_that_cannot_be_read_are_counted(bands):
    broken = bands / 'a/0.tif'
    broken.write_bytes(b'nothing')
    dataset = ImageFolder(
        data_root=str(bands),
        pipeline=[dict(type='mmregioncl.LoadImage', channels=4)])
    values, kinds = measure.measure_values(dataset, 4, 12)
    assert values.shape == (11 * 1600, 4)
    assert kinds == {
        'of type uint16, 4 band(s)': 11,
        f'that cannot be read, such as {broken}': 1
    }


def test_what_cannot_be_measured_is_refused(bands, tmp_path):

    def measured(root, channels: int, **settings):
        load = dict(type='mmregioncl.LoadImage', channels=channels)
        folder = ImageFolder(data_root=str(root), pipeline=[load], **settings)
        return measure.measure_values(folder, channels, 2)

    with pytest.raises(ValueError, match='cannot measure .*a/0.tif: '):
        measured(bands, 5)
    (tmp_path / 'broken').mkdir()
    (tmp_path / 'broken/0.png').write_bytes(b'nothing')
    with pytest.raises(ValueError, match='cannot measure .*broken/0.png: '):
        measured(tmp_path / 'broken', 3)
    with pytest.raises(ValueError, match='holds its images in memory'):
        measure.measure_values([], 3, 2)
    constant = np.full((9, 1), 7, 'uint16')
    with pytest.raises(ValueError, match='has the value 7.0 nearly everywhe'):
        measure.value_range(constant, (0, 100))
    assert not [*measure.find_fill(constant, (0, 100))]


def test_images_that_need_no_range():
    full = np.array([[0], [255]], 'uint8')
    assert measure.value_range(full, (0, 100)) is None
    assert measure.uses_range(*np.float32([0, 1e-9]))
