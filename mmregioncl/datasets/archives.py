"""Images in zip and tar archives, read without unpacking."""
import os
import posixpath
import re
import struct
import tarfile
import zipfile
import zlib
from bisect import bisect_left
from itertools import accumulate
from pathlib import Path
from typing import Dict, Iterator, Optional, Tuple, Union

import numpy as np
from mmengine import fileio
from mmengine.fileio import BaseStorageBackend, register_backend

from mmregioncl.files import ARCHIVE, printable
from .packed import PackedStrings

COMPRESSED = re.compile(
    r'\.(tar\.\w+|tgz|tbz2?|txz|tzst|7z|rar|gz|bz2|xz|zst)$', re.I)
MOST_BYTES = 2**30  # of a file in an archive, unpacked
MOST_LINKS = 40  # from one to the next, as in Linux
LOCAL_HEADER = struct.Struct('<26xHH')  # of a file in a zip, before its name

# Where a file is: in a zip, the start of its header, its compressed size, its
# size, and whether it is deflated; in a tar, its start and its size
Place = Tuple[int, int, int, bool]


def address(path: str) -> str:
    """The address of a file or folder in a local archive.

    Args:
        path (str): A path that may lead into an archive, such as
            ``data.zip/train``. ``~`` is the home folder.

    Returns:
        str: ``archive://data.zip/train``, or the path itself if it is in
        no archive.

    Raises:
        ValueError: If it is a compressed tar, or another kind of archive.
    """
    path = os.path.expanduser(path)
    if '://' in path:
        return path
    if COMPRESSED.search(path) and os.path.isfile(path):
        raise ValueError(
            f'{path} is compressed as a whole, which allows no access to '
            'single images: unpack it, or pack the images into a zip or an '
            'uncompressed tar')
    return path if split(path) is None else f'{ARCHIVE}{path}'


def split(path: str) -> Optional[Tuple[str, str]]:
    """Split a path into an archive and a name in it.

    Returns:
        tuple[str, str] or None: None if the path is not inside one.
    """
    for end in re.finditer(r'\.(zip|tar)(?=/|$)', path, re.I):
        archive = path[:end.end()]
        if archive in ARCHIVES or os.path.isfile(archive):
            return archive, normal(path[end.end():])
    return None


def is_missing(path: str) -> bool:
    """Whether a path does not exist.

    Addresses outside of archives are not checked.
    """
    path = os.path.expanduser(path)
    if '://' in path and not path.startswith(ARCHIVE):
        return False
    if '://' not in path and split(path) is not None:
        path = f'{ARCHIVE}{path}'
    return not fileio.exists(path)


def archive_of(path: str) -> Optional['Archive']:
    """The archive that an address leads into, None for other paths."""
    if not path.startswith(ARCHIVE):
        return None
    return open_archive(found(path)[0])


class ArchiveChanged(OSError):
    """An archive was changed after its files were listed."""

    def __init__(self, path: str) -> None:
        super().__init__(f'{path} was changed after its files were listed: '
                         'start again')


class Archive:
    """Index of the files in a zip or an uncompressed tar.

    It keeps no file open, so that it can be used by any number of threads and
    processes, forked or spawned.

    Args:
        path (str): The archive.

    Attributes:
        names (PackedStrings): Names of all files, sorted.

    Raises:
        ValueError: If the archive is damaged, encrypted, or compressed in
            another way than by deflate.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.version = version(os.stat(path))
        self.zip = path.lower().endswith('zip')
        try:
            places = read_zip(path) if self.zip else read_tar(path)
        except (zipfile.BadZipFile, NotImplementedError, tarfile.TarError,
                EOFError) as error:
            raise ValueError(
                f'{path} is damaged or not an archive of its kind ({error}): '
                'write it again') from error
        names = sorted(places)
        self.names = PackedStrings(names)
        self.places = np.array([places[name] for name in names],
                               np.int64).reshape(-1, 4)

    def __reduce__(self) -> tuple:
        """Pass the index to spawned workers, which need not read it."""
        return remember, (self.__class__, self.__dict__)

    def read(self, name: str) -> bytes:
        """Read a file.

        Raises:
            FileNotFoundError: If the archive has no such file.
            ArchiveChanged: If the archive was changed.
            ValueError: If the file is too large for an image.
            zlib.error: If the file is damaged.
        """
        row = self.row(name)
        if row is None:
            raise FileNotFoundError(f'{self.path} has no {name}')
        start, length, size, deflated = self.places[row].tolist()
        if size > MOST_BYTES:
            raise ValueError(f'{size} bytes are too many for an image')
        with open(self.path, 'rb') as file:
            if version(os.fstat(file.fileno())) != self.version:
                raise ArchiveChanged(self.path)
            file.seek(start)
            if self.zip:
                file.seek(sum(LOCAL_HEADER.unpack(file.read(30))), 1)
            content = file.read(length)
        if deflated:  # at most its stated size; 0 would mean no limit
            return zlib.decompressobj(-15).decompress(content, max(size, 1))
        return content

    def row(self, name: str) -> Optional[int]:
        """Row of a file, or None if there is no such file."""
        row = bisect_left(self.names, name)
        there = row < len(self.names) and self.names[row] == name
        return row if there else None

    def within(self, folder: str) -> range:
        """Rows of the files below a folder; '' is the archive itself."""
        if not folder:
            return range(len(self.names))
        return range(
            bisect_left(self.names, f'{folder}/'),
            bisect_left(self.names, f'{folder}0'))  # 0 comes after /


ARCHIVES: Dict[str, Archive] = {}  # of this process, by their paths


def remember(kind: type, state: dict) -> Archive:
    """Unpickle an archive."""
    archive = kind.__new__(kind)
    archive.__dict__.update(state)
    return ARCHIVES.setdefault(archive.path, archive)


def open_archive(path: str) -> Archive:
    """Return an archive, whose index is read once in each process."""
    known = ARCHIVES.get(path)
    if known is None or known.version != version(os.stat(path)):
        known = ARCHIVES[path] = Archive(path)
    return known


def version(status: os.stat_result) -> Tuple[int, int]:
    """Size and time of a file, which change with its content."""
    return status.st_size, status.st_mtime_ns


def read_zip(path: str) -> Dict[str, Place]:
    """Places of the files in a zip, by their names."""
    places = {}
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if info.is_dir():
                continue
            if info.flag_bits & 1 or info.compress_type not in (
                    zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise ValueError(
                    f'{path} is encrypted, or not compressed by deflate: write'
                    ' it again, for example with zip -0')
            places[normal(
                info.filename)] = (info.header_offset, info.compress_size,
                                   info.file_size,
                                   info.compress_type == zipfile.ZIP_DEFLATED)
    return places


def read_tar(path: str) -> Dict[str, Place]:
    """Places of the files in a tar; a link has the place of its target."""
    places: Dict[str, Place] = {}
    links = {}
    total = os.path.getsize(path)
    with tarfile.open(path, 'r:', errorlevel=0) as archive:
        while (info := archive.next()) is not None:
            archive.members.clear()  # they take a kilobyte each
            name = normal(info.name)
            if info.issparse():
                raise tarfile.ReadError(f'{name} is sparse')
            if not 0 <= info.size <= total - info.offset_data:
                raise tarfile.ReadError(f'{name} is longer than the archive')
            if info.isreg():
                places[name] = (info.offset_data, info.size, info.size, False)
            elif info.islnk():
                links[name] = normal(info.linkname)
            elif info.issym():
                links[name] = normal(
                    posixpath.join(posixpath.dirname(name), info.linkname))
        end = archive.offset
    with open(path, 'rb') as file:  # tarfile stops at a damaged header
        file.seek(end)
        if file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
            raise tarfile.ReadError(f'it is truncated at byte {end}')
    for name, target in links.items():
        for _ in range(MOST_LINKS):  # chains or circles
            if target not in links:
                break
            target = links[target]
        if target in places:
            places.setdefault(name, places[target])
    return places


def normal(name: str) -> str:
    """The name of a file below the root of its archive, '' for the root."""
    return posixpath.normpath(f'/{name}').strip('/')


@register_backend('mmregioncl.archive', prefixes='archive')
class ArchiveBackend(BaseStorageBackend):
    """Files in archives, as in ``archive:///data/train.zip/cat/1.jpg``."""

    def get(self, filepath: Union[str, Path]) -> bytes:
        """Read a file.

        Raises:
            FileNotFoundError: If it, or its archive, does not exist.
        """
        path, name = found(filepath)
        return (ARCHIVES.get(path) or open_archive(path)).read(name)

    def get_text(self,
                 filepath: Union[str, Path],
                 encoding: str = 'utf-8') -> str:
        """Read a text."""
        return self.get(filepath).decode(encoding)

    def exists(self, filepath: Union[str, Path]) -> bool:
        """Whether there is such a file, or a folder with files in it."""
        path, name = found(filepath)
        archive = open_archive(path)
        return archive.row(name) is not None or self.isdir(filepath)

    def isdir(self, filepath: Union[str, Path]) -> bool:
        """Whether an address is an archive or a folder with files in it."""
        path, name = found(filepath)
        return len(open_archive(path).within(name)) > 0

    def join_path(self, filepath: Union[str, Path], *filepaths:
                  Union[str, Path]) -> str:
        """Join an address and names."""
        return posixpath.join(str(filepath), *map(str, filepaths))

    def list_dir_or_file(self,
                         dir_path: Union[str, Path],
                         list_dir: bool = True,
                         list_file: bool = True,
                         suffix: Union[str, Tuple[str], None] = None,
                         recursive: bool = False) -> Iterator[str]:
        """List what is in a folder and not hidden."""
        path, folder = found(dir_path)
        archive = open_archive(path)
        start = len(folder) + 1 if folder else 0
        seen = set()
        for row in archive.within(folder):
            name = archive.names[row][start:]
            if name.startswith('.') or '/.' in name:
                continue
            folders = list(accumulate(name.split('/'), '{}/{}'.format))[:-1]
            for parent in folders if recursive else folders[:1]:
                if list_dir and parent not in seen:
                    seen.add(parent)
                    yield parent
            if (list_file and (recursive or not folders)
                    and (suffix is None or name.endswith(suffix))):
                yield name


def found(filepath: Union[str, Path]) -> Tuple[str, str]:
    """The archive of an address, and the name in it.

    Raises:
        FileNotFoundError: If there is no such archive.
    """
    parts = split(str(filepath).removeprefix(ARCHIVE))
    if parts is None:
        raise FileNotFoundError(
            f'{printable(filepath)} is not inside a zip or tar')
    return parts
