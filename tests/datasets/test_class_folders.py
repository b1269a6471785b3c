import shutil

import pytest
from mmengine.registry import DATASETS

from mmregioncl.datasets.class_folders import CLASS_LISTS


def build(name, root, **kwargs):
    return DATASETS.build(
        dict(type=f'mmregioncl.{name}', data_root=str(root), **kwargs))


def samples(dataset) -> list:
    infos = [dataset.get_data_info(i) for i in range(len(dataset))]
    return [(i['img_path'].split('/')[-1], i['gt_label']) for i in infos]


def touch(root, *paths) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()


@pytest.mark.parametrize('count', [100, 200])
def test_packaged_lists(count):
    ids = (CLASS_LISTS / f'imagenet{count}.txt').read_text().split()
    assert len(set(ids)) == count
    assert all(name[0] == 'n' and len(name) == 9 for name in ids)


def test_imagenet_subset(tmp_path):
    touch(tmp_path, 'n03/a.JPEG', 'n01/b.JPEG', 'n02/c.JPEG')
    (tmp_path / 'some.txt').write_text('n03\nn01\n')
    dataset = build(
        'ImageNetSubset', tmp_path, classes=str(tmp_path / 'some.txt'))
    assert samples(dataset) == [('b.JPEG', 0), ('a.JPEG', 1)]
    archive = shutil.make_archive(f'{tmp_path}/images', 'tar', tmp_path)
    assert samples(
        build('ImageNetSubset', archive,
              classes=str(tmp_path / 'some.txt'))) == samples(dataset)
    (tmp_path / 'some.txt').write_text('n03\nn01\nn03\n')
    with pytest.raises(ValueError, match='each once, but has n03'):
        build('ImageNetSubset', tmp_path, classes=str(tmp_path / 'some.txt'))
    with pytest.raises(FileNotFoundError, match='has no folder n01443537'):
        build('ImageNetSubset', tmp_path, classes='imagenet200')
    with pytest.raises(
            FileNotFoundError, match='neither a file nor one of im'):
        build('ImageNetSubset', tmp_path, classes='imagenet20')
    with pytest.raises(FileNotFoundError, match='is not a folder: set it to '):
        build('ImageNetSubset', tmp_path / 'no', classes='imagenet200')


def test_tiny_imagenet(tmp_path):
    touch(tmp_path, 'train/n2/images/n2_0.JPEG', 'train/n1/images/n1_0.JPEG',
          'train/n1/n1_boxes.txt')
    (tmp_path / 'wnids.txt').write_text('n2\nn1\n\n')
    (tmp_path / 'val').mkdir()
    (tmp_path / 'val' / 'val_annotations.txt').write_text(
        'val_0.JPEG\tn2\t0\t32\t44\t62\nval_1.JPEG\tn1\t0\t32\t44\t62\n')
    assert samples(build('TinyImageNet', tmp_path)) == [('n1_0.JPEG', 0),
                                                        ('n2_0.JPEG', 1)]
    assert samples(build('TinyImageNet', tmp_path,
                         test_mode=True)) == [('val_0.JPEG', 1),
                                              ('val_1.JPEG', 0)]
    with pytest.raises(FileNotFoundError, match='wnids.txt: set data_root'):
        build('TinyImageNet', tmp_path / 'nowhere')
