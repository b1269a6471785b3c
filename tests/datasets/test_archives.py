import os
import pickle
import shutil
import subprocess
import tarfile
import zipfile

import cv2
import numpy as np
import pytest
from mmengine import fileio
from mmengine.registry import DATASETS, TRANSFORMS
from torch.utils.data import DataLoader

from mmregioncl.datasets import ImageFolder, archives
from mmregioncl.datasets.fingerprint import fingerprint
from mmregioncl.engine.messages.summary import describe_data

NAMES = ('a/1.png', 'a/A.PNG', 'a/a.png', 'b/c/é "ö" \'x\'.png',
         'b/' + 'n' * 251 + '.png', 'notes.txt', '.hidden/2.png')


@pytest.fixture(scope='module')
def packed(tmp_path_factory):
    """A folder of images that differ, and archives of it."""
    root = tmp_path_factory.mktemp('packed')
    for number, name in enumerate(NAMES):
        path = root / 'folder' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        image = np.full((8, 8, 3), number, np.uint8)
        path.write_bytes(cv2.imencode('.png', image)[1].tobytes())
    for kind in ('zip', 'tar', 'gztar'):
        shutil.make_archive(str(root / 'all'), kind, root / 'folder')
    with zipfile.ZipFile(root / 'stored.zip', 'w') as archive:
        for name in reversed(NAMES):
            archive.write(root / 'folder' / name, name)
    return root


@pytest.mark.parametrize('name', ['all.zip', 'stored.zip', 'all.tar'])
def test_an_archive_is_read_as_its_folder(packed, name):
    folder = ImageFolder(str(packed / 'folder'))
    dataset = ImageFolder(str(packed / name))
    assert len(dataset) == 5
    assert fingerprint(dataset) == fingerprint(folder)
    assert fingerprint(dataset, True) == fingerprint(folder, True)
    for info, expected in zip(dataset.data_list, folder.data_list):
        content = fileio.get(info['img_path'])
        assert content == fileio.get(expected['img_path'])
    part = ImageFolder(str(packed / name / 'b'))
    assert len(part) == 2
    assert part[0]['img_path'] == f'archive://{packed / name}/{NAMES[3]}'


def test_workers_read_at_random(packed):
    load = dict(type='mmregioncl.LoadImage', on_corrupt='raise')
    dataset = ImageFolder(str(packed / 'all.zip'), pipeline=[load])
    loader = DataLoader(
        dataset,
        batch_sampler=[[4, 0], [2, 3], [1, 1]],
        num_workers=2,
        collate_fn=lambda batch: [int(x['img'][0, 0, 0]) for x in batch],
        multiprocessing_context='fork')
    assert list(loader) == [[4, 0], [2, 3], [1, 1]]


def test_an_index_goes_to_workers_that_are_spawned(packed, monkeypatch):
    sent = pickle.dumps(ImageFolder(str(packed / 'all.zip')))
    monkeypatch.setattr(archives, 'ARCHIVES', {})
    monkeypatch.setattr(archives, 'read_zip', None)  # not called again
    path = pickle.loads(sent)[0]['img_path']
    assert fileio.get(path) == (packed / 'folder/a/1.png').read_bytes()


def test_logs_name_an_archive_as_the_user_does(packed):
    """Not by its address, also if images cannot be read."""
    path = packed / 'all.zip'
    told = describe_data(ImageFolder(str(path)))
    assert told.startswith(f'5 images of {path}')
    with pytest.raises(FileNotFoundError, match=f"data_root='{path}/no' is n"):
        ImageFolder(f'{path}/no')
    load = TRANSFORMS.build(
        dict(type='mmregioncl.LoadImage', on_corrupt='raise'))
    with pytest.raises(
            OSError, match=f'^cannot read {path}/no.png, which does'):
        load(dict(img_path=f'archive://{path}/no.png'))


def test_labeled_folders_in_an_archive(packed):
    for root in (packed / 'all.zip', packed / 'all.tar'):
        dataset = DATASETS.build(
            dict(
                type='mmregioncl.CustomDataset',
                data_root=archives.address(str(root))))
        assert dataset.metainfo['classes'] == ('a', 'b')
        assert dataset.get_gt_labels().tolist() == [0, 0, 0, 1, 1]
        assert fileio.get(dataset[3]['img_path']) == (packed / 'folder' /
                                                      NAMES[3]).read_bytes()


def test_a_text_in_an_archive(tmp_path):
    with zipfile.ZipFile(tmp_path / 'x.zip', 'w') as archive:
        archive.writestr('names.txt', 'a\n')
    assert fileio.get_text(f'archive://{tmp_path}/x.zip/names.txt') == 'a\n'
    with pytest.raises(FileNotFoundError, match='no.txt is not inside a zip '):
        fileio.get_text(f'archive://{tmp_path}/no.txt')


def test_a_tar_with_links_and_names_that_are_no_text(tmp_path):
    folder = tmp_path / 'folder'
    folder.mkdir()
    (folder / '1.png').write_bytes(b'1')
    (folder / '2.png').hardlink_to(folder / '1.png')
    (folder / '3.png').symlink_to('1.png')
    with open(os.fsencode(folder) + b'/\xff.png', 'wb') as file:
        file.write(b'4')
    subprocess.run(['tar', '-cf', tmp_path / 'x.tar', '-C', folder, '.'],
                   check=True)
    dataset = ImageFolder(str(tmp_path / 'x.tar'))
    assert [fileio.get(info['img_path'])
            for info in dataset.data_list] == [b'1', b'1', b'1', b'4']
    assert fingerprint(dataset) == fingerprint(ImageFolder(str(folder)))


def test_archives_that_cannot_be_read_one_by_one(packed, tmp_path):
    with pytest.raises(
            ValueError, match='gz is compressed as a whole, .*: un'):
        ImageFolder(str(packed / 'all.tar.gz'))
    shutil.copy(packed / 'all.tar.gz', tmp_path / 'x.tar')
    with pytest.raises(ValueError, match='x.tar is damaged or not an arch'):
        ImageFolder(str(tmp_path / 'x.tar'))
    with zipfile.ZipFile(tmp_path / 'x.zip', 'w', zipfile.ZIP_LZMA) as archive:
        archive.writestr('1.png', b'1')
    with pytest.raises(ValueError, match='x.zip is encrypted, or not compre'):
        ImageFolder(str(tmp_path / 'x.zip'))
    path = tmp_path / 'y.zip'
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr('1.png', b'1')
    path.write_bytes(path.read_bytes().replace(b'PK\1\2\x14\3\x14',
                                               b'PK\1\2\x14\3\x63'))
    with pytest.raises(ValueError, match='y.zip is damaged or not an arch'):
        ImageFolder(str(path))
    with pytest.raises(FileNotFoundError, match="no.zip' is not a folder"):
        ImageFolder(str(tmp_path / 'no.zip'))


@pytest.mark.parametrize('name, kept', [('all.tar', 0.6), ('all.zip', 0.6)])
def test_an_archive_that_breaks_off_is_refused(packed, tmp_path, name, kept):
    content = (packed / name).read_bytes()
    for end in (int(kept * len(content)), 3 * tarfile.BLOCKSIZE):
        (tmp_path / name).write_bytes(content[:end])
        with pytest.raises(ValueError, match='is damaged or not an arch'):
            ImageFolder(str(tmp_path / name))


def test_links_and_dots_are_followed(tmp_path):
    with tarfile.open(tmp_path / 'x.tar', 'w') as archive:
        for name, target in (('l1.png', 'l2.png'), ('l2.png', './a.png'),
                             ('loop.png', 'loop.png')):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            archive.addfile(info)
        (tmp_path / 'a.png').write_bytes(b'image')
        archive.add(tmp_path / 'a.png', 'a.png')
    dataset = ImageFolder(str(tmp_path / 'x.tar'))
    assert len(dataset) == 3
    for name in ('l1.png', './l2.png', 'd/..//a.png'):
        assert fileio.get(f'archive://{tmp_path}/x.tar/{name}') == b'image'


def test_long_chains_of_links_lead_nowhere(tmp_path):
    """As in Linux; each link of a circle would be followed to its end."""
    with tarfile.open(tmp_path / 'x.tar', 'w') as archive:
        archive.addfile(tarfile.TarInfo('0.png'))
        for row in range(49, 0, -1):
            info = tarfile.TarInfo(f'{row}.png')
            info.type, info.linkname = tarfile.SYMTYPE, f'{row - 1}.png'
            archive.addfile(info)
    dataset = ImageFolder(str(tmp_path / 'x.tar'))
    assert len(dataset) == 1 + archives.MOST_LINKS + 1


@pytest.mark.parametrize('target', ['/etc/hostname', '../secret.png'])
def test_links_out_of_an_archive_lead_nowhere(tmp_path, target):
    (tmp_path / 'secret.png').write_bytes(b'secret')
    (tmp_path / 'data').mkdir()
    path = tmp_path / 'data/x.tar'
    with tarfile.open(path, 'w') as archive:
        info = tarfile.TarInfo('a.png')
        info.type, info.linkname = tarfile.SYMTYPE, target
        archive.addfile(info)
    for name in ('a.png', '../secret.png', '../../secret.png'):
        with pytest.raises(FileNotFoundError):
            fileio.get(f'archive://{path}/{name}')


def test_a_size_beyond_the_end_is_refused(tmp_path):
    info = tarfile.TarInfo('a.png')
    info.size = 1 << 60
    (tmp_path /
     'x.tar').write_bytes(info.tobuf(tarfile.GNU_FORMAT) + bytes(1024))
    with pytest.raises(ValueError, match='a.png is longer than the archive'):
        archives.Archive(str(tmp_path / 'x.tar'))


def test_a_sparse_tar_is_refused(tmp_path):
    """Of which tarfile tells where the data are, without the holes."""
    with open(tmp_path / 'hole', 'wb') as file:
        file.truncate(10**6)
        file.seek(10**6)
        file.write(b'end')
    subprocess.run(['tar', '-cSf', 'x.tar', 'hole'], cwd=tmp_path, check=True)
    with pytest.raises(ValueError, match='hole is sparse.: write it again'):
        archives.Archive(str(tmp_path / 'x.tar'))


def test_an_archive_that_changes_is_not_read_on(packed, tmp_path):
    shutil.copy(packed / 'all.zip', tmp_path / 'x.zip')
    path = ImageFolder(str(tmp_path / 'x.zip'))[0]['img_path']
    shutil.copy(packed / 'stored.zip', tmp_path / 'x.zip')
    with pytest.raises(OSError, match='x.zip was changed after its files'):
        fileio.get(path)
    ImageFolder(str(tmp_path / 'x.zip'))  # lists them again
    assert fileio.get(path) == (packed / 'folder/a/1.png').read_bytes()


def test_a_small_file_does_not_fill_the_memory(tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / 'x.zip', 'w',
                         zipfile.ZIP_DEFLATED) as archive:
        archive.writestr('1.png', bytes(2**20))
    content = bytearray((tmp_path / 'x.zip').read_bytes())
    # The size in the index is 24 bytes behind the start of an entry.
    size = content.rindex(b'PK\x01\x02') + 24
    content[size:size + 4] = (5).to_bytes(4, 'little')
    (tmp_path / 'x.zip').write_bytes(content)
    path = ImageFolder(str(tmp_path / 'x.zip'))[0]['img_path']
    assert len(fileio.get(path)) == 5
    monkeypatch.setattr(archives, 'MOST_BYTES', 4)
    with pytest.raises(ValueError, match='5 bytes are too many'):
        fileio.get(path)
