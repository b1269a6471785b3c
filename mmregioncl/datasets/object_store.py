from importlib.util import find_spec
from pathlib import Path
from typing import Any, Iterator, Tuple, Union

from fsspec.core import url_to_fs
from mmengine.fileio import BaseStorageBackend, register_backend


class FsspecBackend(BaseStorageBackend):
    """Files in an object store, such as ``s3://bucket/cat/1.jpg``, by fsspec.

    S3 needs the package s3fs, which reads credentials and addresses where the
    tools of AWS do, such as ``AWS_ENDPOINT_URL``.

    Args:
        **options: Arguments of the file system of fsspec.
    """

    def __init__(self, **options) -> None:
        self.options = options

    def open(self, filepath: Union[str, Path]) -> Tuple[Any, str]:
        """The file system of an address, and the path in it.

        File systems do not survive a fork, so fsspec keeps one per process.

        Raises:
            ImportError: If it needs a package that is not installed.
        """
        try:
            return url_to_fs(str(filepath), **self.options)
        except ImportError as error:
            raise ImportError(f'cannot read {filepath}: {error}') from error

    def get(self, filepath: Union[str, Path]) -> bytes:
        """Read a file."""
        store, path = self.open(filepath)
        return store.cat_file(path)

    def get_text(self,
                 filepath: Union[str, Path],
                 encoding: str = 'utf-8') -> str:
        """Read a text."""
        return self.get(filepath).decode(encoding)

    def exists(self, filepath: Union[str, Path]) -> bool:
        """Whether there is such a file or folder."""
        store, path = self.open(filepath)
        return store.exists(path)

    def isdir(self, filepath: Union[str, Path]) -> bool:
        """Whether there are files below an address."""
        store, path = self.open(filepath)
        return store.isdir(path)

    def join_path(self, filepath: Union[str, Path], *filepaths:
                  Union[str, Path]) -> str:
        """Join an address and names."""
        return '/'.join([str(filepath).rstrip('/'), *map(str, filepaths)])

    def list_dir_or_file(self,
                         dir_path: Union[str, Path],
                         list_dir: bool = True,
                         list_file: bool = True,
                         suffix: Union[str, Tuple[str], None] = None,
                         recursive: bool = False) -> Iterator[str]:
        """List what is in a folder, as MMEngine's local backend does."""
        store, folder = self.open(dir_path)
        found = store.find(
            folder,
            maxdepth=None if recursive else 1,
            withdirs=list_dir,
            detail=True)
        for path, info in found.items():
            name = path.removeprefix(folder).strip('/')
            listed = list_dir if info['type'] == 'directory' else (
                list_file and (suffix is None or name.endswith(suffix)))
            if name and listed:
                yield name


# MMEngine reads s3:// with petrel_client, which is not public. It is used if
# it is installed.
register_backend(
    'mmregioncl.fsspec',
    FsspecBackend,
    force=True,
    prefixes=None if find_spec('petrel_client') else 's3')
