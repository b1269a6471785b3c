import pytest
from mmengine.registry import DATASETS


def folder(root, **kwargs):
    return DATASETS.build(
        dict(type='mmregioncl.ImageFolder', data_root=str(root), **kwargs))


def names(dataset, root) -> list:
    return [
        dataset.get_data_info(i)['img_path'].removeprefix(f'{root}/')
        for i in range(len(dataset))
    ]


def test_images_at_any_depth_are_sorted_by_path(tmp_path):
    for path in ('b/c/2.PNG', 'a/1.jpg', '0.webp', 'a/notes.txt', '.x/3.png',
                 'a/.4.png'):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    assert names(folder(tmp_path),
                 tmp_path) == ['0.webp', 'a/1.jpg', 'b/c/2.PNG']
    only = folder(tmp_path, extensions=['.PNG'])
    assert names(only, tmp_path) == ['b/c/2.PNG']
    assert names(folder(tmp_path, extensions='png'), tmp_path) == ['b/c/2.PNG']
    assert len(folder(tmp_path, indices=2)) == 2


def test_home_folder_and_links(tmp_path, monkeypatch):
    monkeypatch.setenv('HOME', str(tmp_path))
    (tmp_path / 'images').mkdir()
    (tmp_path / 'images' / '0.png').touch()
    (tmp_path / 'more').symlink_to('images')
    assert len(folder('~/more')) == 1
    (tmp_path / 'images' / 'loop').symlink_to('.')
    with pytest.raises(OSError, match='cannot list data_root=.*: repair'):
        folder('~/images')


def test_missing_folder_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match='is not a folder: set'):
        folder(tmp_path / 'nowhere')
    with pytest.raises(FileNotFoundError, match="data_root='' is not a"):
        DATASETS.build(dict(type='mmregioncl.ImageFolder', data_root=None))


def test_empty_folder_is_refused(tmp_path):
    (tmp_path / 'notes.txt').touch()
    with pytest.raises(FileNotFoundError, match='no image in data_root='):
        folder(tmp_path)
