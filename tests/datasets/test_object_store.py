import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from fsspec.registry import _registry, known_implementations
from mmengine import fileio
from mmengine.registry import DATASETS
from torch.utils.data import DataLoader

from mmregioncl.datasets import ImageFolder


class Store(MemoryFileSystem):
    """In the place of S3, with an option as s3fs has."""
    protocol = 's3'

    def __init__(self, endpoint_url=None, **options):
        super().__init__(**options)
        self.endpoint_url = endpoint_url

    @classmethod
    def _strip_protocol(cls, path):
        return super()._strip_protocol(path.replace('s3://', 'memory://'))


@pytest.fixture
def store(image_folder, monkeypatch):
    """A bucket with a folder of images."""
    monkeypatch.setitem(_registry, 's3', Store)
    monkeypatch.setattr(Store, 'store', {})
    monkeypatch.setattr(Store, 'pseudo_dirs', [''])
    files = fsspec.filesystem('s3')
    files.put(str(image_folder), 'bucket/images', recursive=True)
    return files


def test_a_bucket_is_read_as_its_folder(store, image_folder):
    folder = ImageFolder(str(image_folder))
    dataset = ImageFolder(
        's3://bucket/images',
        pipeline=[dict(type='mmregioncl.LoadImage', on_corrupt='raise')])
    assert [info['img_path'] for info in dataset.data_list] == [
        f's3://bucket/images/{name}' for name in folder.data_list.names
    ]
    loader = DataLoader(
        dataset,
        num_workers=1,
        collate_fn=lambda batch: batch[0]['img'],
        multiprocessing_context='fork')
    for image, info in zip(loader, folder.data_list):
        assert image.shape == (40, 40, 3)
    labelled = DATASETS.build(
        dict(type='mmregioncl.CustomDataset', data_root='s3://bucket/images'))
    assert labelled.metainfo['classes'] == ('a', 'b')
    assert fileio.get(labelled[6]['img_path']) == (image_folder /
                                                   'b/c/00.png').read_bytes()
    store.pipe('bucket/names.txt', b'a')
    assert fileio.get_text('s3://bucket/names.txt') == 'a'
    assert fileio.exists('s3://bucket/names.txt')
    assert not fileio.exists('s3://bucket/no.txt')
    with pytest.raises(FileNotFoundError, match='is not a folder: set'):
        ImageFolder('s3://bucket/nowhere')


def test_options_go_to_the_file_system(store):
    options = dict(endpoint_url='http://localhost:1')
    assert len(ImageFolder('s3://bucket/images', backend_args=options)) == 12
    backend = fileio.get_file_backend('s3://bucket', backend_args=options)
    assert backend.open('s3://bucket')[0].endpoint_url == 'http://localhost:1'


def test_other_stores_are_read_by_name(image_folder):
    files = fsspec.filesystem('memory')
    files.put(str(image_folder), 'bucket/images', recursive=True)
    options = dict(backend='mmregioncl.fsspec')
    load = dict(
        type='mmregioncl.LoadImage', on_corrupt='raise', backend_args=options)
    root = 'memory://bucket/images'
    dataset = ImageFolder(root, backend_args=options, pipeline=[load])
    assert len(dataset) == 12 and dataset[0]['img'].shape == (40, 40, 3)
    with pytest.raises(ValueError, match="with 'memory', which MMEngine does"):
        ImageFolder(root)


def test_a_package_that_a_store_lacks_is_named(monkeypatch):
    monkeypatch.setitem(
        known_implementations, 'gs',
        dict(**{'class': 'missing.Store'}, err='Install gcsfs to access'))
    backend = fileio.get_file_backend(
        backend_args=dict(backend='mmregioncl.fsspec'))
    with pytest.raises(
            ImportError, match='^cannot read gs://bucket/a.png: Install gcs'):
        backend.get('gs://bucket/a.png')
