"""Foreign objects in an annotation file run, and errors do not name the file.

MMEngine 0.10.7 reads ``.pkl`` and ``.pickle`` with ``pickle.load``, ``.yml``
and ``.yaml`` with PyYAML's loader for trusted files. Both call whatever
function a file names. So does MMSegmentation 1.2.2 with
``decode_backend='pickle'``. No upstream issue is known.
"""
import sys
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from io import BytesIO
from types import ModuleType, SimpleNamespace
from typing import Any, Iterator, Optional

from mmengine.fileio import load as load_any
from mmengine.fileio import register_handler
from mmengine.fileio.handlers import PickleHandler, YamlHandler

from .data_pickles import DataUnpickler, NotData
from .data_yaml import DataLoader
from .substitute import substitute

MMSEG_IO = 'mmseg.utils.io'


def patch() -> None:
    register_handler(['pkl', 'pickle'])(DataPickleHandler)
    register_handler(['yml', 'yaml'])(DataYamlHandler)
    substitute(load_any, load)
    if MMSEG_IO in sys.modules:
        unpickle_data(sys.modules[MMSEG_IO])
    elif not any(isinstance(one, DataPickles) for one in sys.meta_path):
        sys.meta_path.insert(0, DataPickles())


def load(file, *args, **kwargs) -> Any:
    """Load JSON, YAML or a pickle, with errors that name the file.

    Arguments are those of ``mmengine.fileio.load``.

    Raises:
        ValueError: If the file is broken, or contains more than data.
    """
    try:
        return load_any(file, *args, **kwargs)
    except NotData as error:
        raise ValueError(f'{file} cannot be read: {error}') from error
    except (ValueError, RecursionError) as error:
        fault = ' '.join(str(error).split())
        raise ValueError(f'cannot read {file}, which is broken ({fault}): '
                         'create it again') from error


@contextmanager
def broken_bytes() -> Iterator[None]:
    """Turn errors of any kind into a ValueError."""
    try:
        yield
    except NotData:
        raise
    except Exception as error:
        raise ValueError(f'{type(error).__name__}: {error}') from error


class DataPickleHandler(PickleHandler):
    """Reads pickles of data, and executes nothing in others."""

    def load_from_fileobj(self, file, **kwargs) -> Any:
        """Load what a file holds.

        Raises:
            NotData: If it names anything other than data.
            ValueError: If it is broken.
        """
        with broken_bytes():
            return DataUnpickler(file, **kwargs).load()


class DataYamlHandler(YamlHandler):
    """Reads YAML of data, and executes nothing in others."""

    def load_from_fileobj(self, file, **kwargs) -> Any:
        """Load what a file holds.

        Raises:
            NotData: If it names an object of Python.
            ValueError: If it is broken.
        """
        kwargs.setdefault('Loader', DataLoader)
        with broken_bytes():
            return super().load_from_fileobj(file, **kwargs)


class DataPickles(MetaPathFinder):
    """Calls :func:`unpickle_data` once MMSegmentation is imported."""

    def find_spec(self,
                  fullname: str,
                  path,
                  target=None) -> Optional[ModuleSpec]:
        spec = None
        if fullname == MMSEG_IO:
            spec = PathFinder.find_spec(fullname, path)
        if spec is not None:
            run = spec.loader.exec_module

            def exec_module(module: ModuleType) -> None:
                run(module)
                unpickle_data(module)

            spec.loader.exec_module = exec_module
        return spec


def unpickle_data(module: ModuleType) -> None:
    """Let a module unpickle only data."""
    module.pickle = SimpleNamespace(loads=lambda content: DataPickleHandler().
                                    load_from_fileobj(BytesIO(content)))
