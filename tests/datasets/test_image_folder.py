import os
import shutil
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from unittest.mock import Mock

import mmcv
import pytest
from mmengine import fileio
from mmengine.registry import DATASETS

from mmregioncl.datasets import image_folder as module
from mmregioncl.datasets.fingerprint import fingerprint
from mmregioncl.engine.messages.summary import describe_data


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


def test_broken_links_are_counted(tmp_path):
    (tmp_path / 'a.png').symlink_to('nowhere.png')
    with pytest.raises(FileNotFoundError, match=r'and 1 link.s. are broken'):
        folder(tmp_path)
    (tmp_path / 'b.png').touch()
    assert describe_data(folder(tmp_path)) == (
        f'1 image of {tmp_path} (skipped 1 other files: 1 .png (broken '
        'link))')


def test_missing_folder_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match='is not a folder: set'):
        folder(tmp_path / 'nowhere')
    with pytest.raises(FileNotFoundError, match="data_root='' is not a"):
        DATASETS.build(dict(type='mmregioncl.ImageFolder', data_root=None))


def test_empty_folder_is_refused(tmp_path):
    (tmp_path / 'notes.txt').touch()
    with pytest.raises(FileNotFoundError, match='no image in data_root='):
        folder(tmp_path)


def test_paths_are_kept_in_one_array(tmp_path):
    for name in 'abc':
        (tmp_path / f'{name}.png').touch()
    dataset = folder(tmp_path)
    infos = dataset.data_list
    assert infos.names.text.tobytes() == b'a.pngb.pngc.png'
    assert dataset[-1] == dict(img_path=f'{tmp_path}/c.png', sample_idx=2)
    with pytest.raises(IndexError):
        infos[3]
    for part in (dataset.get_subset(2), folder(tmp_path, indices=2)):
        assert names(part, tmp_path) == ['a.png', 'b.png']
        assert part.data_list.names.text.tobytes() == b'a.pngb.png'
    assert names(dataset.get_subset([2, 0]), tmp_path) == ['c.png', 'a.png']
    assert len(dataset) == 3
    for name in ('serialize_data', 'split'):  # as of an inherited ImageNet
        with pytest.raises(TypeError, match=f'not support {name}: it reads'):
            folder(tmp_path, **{name: 'train'})


def test_any_name_of_a_file(tmp_path):
    for name in (b'\xff.png', 'é ö.png'.encode(), b'a"\'b.png', b'A.png',
                 b'a.png', b'n' * 251 + b'.png', b'line\nend.png'):
        with open(os.fsencode(tmp_path) + b'/' + name, 'wb') as file:
            file.write(name)
    dataset = folder(tmp_path)
    assert len(dataset) == 7
    for info in dataset.data_list:
        name = fileio.get(info['img_path'])
        assert os.fsencode(info['img_path']).endswith(name)
    assert len(fingerprint(dataset)) == 32


def test_a_list_written_on_windows(tmp_path):
    listing = tmp_path / 'list.txt'
    listing.write_text('é.png\r\nb.png\r\n', encoding='utf-8-sig')
    dataset = folder(tmp_path, ann_file='list.txt')
    assert dataset.get_data_info(0)['img_path'] == f'{tmp_path}/é.png'
    listing.write_text('a.png', encoding='utf-16')
    with pytest.raises(ValueError, match='is UTF-16, .* save it as UTF-8'):
        folder(tmp_path, ann_file='list.txt')


def test_a_list_of_files(tmp_path, monkeypatch):
    (tmp_path / 'lists').mkdir()
    listing = tmp_path / 'lists' / 'train.txt'
    listing.write_bytes(
        b'b/2.png\r\na 1.png\n\nb/\xff.png\n/x/3.PNG\ns3://4.png')
    expected = [
        f'{tmp_path}/b/2.png', f'{tmp_path}/a 1.png',
        f'{tmp_path}/b/\udcff.png', '/x/3.PNG', 's3://4.png'
    ]
    for path in ('lists/train.txt', str(listing)):
        dataset = folder(tmp_path, ann_file=path)
        infos = [dataset.get_data_info(index) for index in range(5)]
        assert [info['img_path'] for info in infos] == expected
    monkeypatch.setattr(module, 'print_log', warned := Mock())
    listing.write_text('a.png\nb.png\na.png\na.png')
    assert len(folder(tmp_path, ann_file=str(listing))) == 4
    warned.assert_called_once()
    assert "/train.txt' has 2 line(s) that repeat " in warned.call_args[0][0]
    listing.write_text('a.png 0\n')
    with pytest.raises(ValueError, match="has the line 'a.png 0': write"):
        folder(tmp_path, ann_file=str(listing))
    listing.write_text('\n')
    with pytest.raises(ValueError, match="train.txt' is empty: write one"):
        folder(tmp_path, ann_file=str(listing))


def test_images_on_a_web_server(image_folder):
    """A server lists no files; the list of them is read from it, too."""
    root = image_folder.parent / 'served'
    shutil.copytree(image_folder, root)
    (root / 'a' / '01.png').rename(root / 'a' / 'é 1.png')
    (root / 'list.txt').write_text('a/é 1.png\na/03.png\nb/c/00.png\ngone.png')
    handler = partial(QuietHandler, directory=str(root))
    with ThreadingHTTPServer(('localhost', 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        address = f'http://localhost:{server.server_port}'
        with pytest.raises(ValueError, match='cannot be listed, as on a web'):
            folder(address)
        dataset = folder(
            address,
            ann_file='list.txt',
            pipeline=[dict(type='mmregioncl.LoadImage', on_corrupt='raise')])
        for index, name in enumerate(('a/é 1.png', 'a/03.png', 'b/c/00.png')):
            expected = mmcv.imread(str(root / name))
            assert (dataset[index]['img'] == expected).all()
        with pytest.raises(OSError, match='gone.png as an image: .*404'):
            dataset[3]
        server.shutdown()


class QuietHandler(SimpleHTTPRequestHandler):

    def log_message(self, *args):
        pass


def test_classes_cannot_be_balanced(image_folder):
    """There are no labels."""
    folder = dict(type='mmregioncl.ImageFolder', data_root=str(image_folder))
    balanced = dict(
        type='ClassBalancedDataset', dataset=folder, oversample_thr=0.1)
    with pytest.raises(ValueError, match='use mmregioncl.CustomDataset'):
        DATASETS.build(balanced)
