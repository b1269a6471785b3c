"""Read a config file, or explain what is wrong with it."""
import re
from pathlib import Path
from traceback import extract_tb, walk_tb
from typing import Optional, Union

from mmengine.config import Config
from mmengine.config.utils import ConfigParsingError

from mmregioncl import host

# What reads one file in MMEngine
READERS = ('_file2dict', '_is_lazy_import', '_parse_lazy_import')


def read_file(path: Union[str, Path]) -> Config:
    """Read any config.

    Raises:
        FileNotFoundError: If it or a base does not exist.
        ValueError: If it or a base has a syntax error, is damaged, or needs
            the other host.
    """
    try:
        return Config.fromfile(path)
    except FileNotFoundError as error:
        missing = re.search('["\'](.+\\.py)["\']', str(error))
        if not Path(path).is_file():
            raise FileNotFoundError(
                f'there is no config {path}: correct the path') from None
        if file_of(error) is None or not missing:
            raise
        raise FileNotFoundError(
            f'{path} cannot be read, since its base {missing[1]} does not '
            'exist: correct _base_, or copy the config with its bases'
        ) from None
    except SyntaxError as error:
        name = file_of(error)
        if name is None:
            raise
        raise ValueError(f'{name} is not valid Python: {error}') from error
    except ValueError as error:
        name = file_of(error)
        if name is None or name.endswith('.py'):
            raise
        # MMEngine's message names a temporary copy.
        fault = ' '.join(str(error.__cause__ or error).split())
        raise ValueError(
            f'the config {name} cannot be read: {fault}') from error
    except ConfigParsingError as error:
        raise ValueError(f'the config {file_of(error) or path} cannot be read:'
                         f' {error}') from error
    except ImportError as error:
        other = imported_host(error)
        if other is None:
            raise
        raise other_host(path, other, naming_setting(error)) from error


def file_of(error: BaseException) -> Optional[str]:
    """The config or base that MMEngine could not read.

    None for an error of the code in it, or of a module that it imports.
    """
    name = None
    for frame, _ in walk_tb(error.__traceback__):
        if frame.f_code.co_name in READERS:
            name = frame.f_locals['filename']
        elif frame.f_code.co_name == '<module>':
            name = None
    return name


def imported_host(error: BaseException) -> Optional[str]:
    """Name of the other host if importing it caused an error."""
    name = getattr(error, 'name', None)
    if name in host.SCOPES.keys() - {host.NAME}:
        return name
    cause = error.__cause__
    frames = [frame for frame, _ in walk_tb(error.__traceback__)]
    if frames and frames[-1].f_globals.get('__name__',
                                           '').startswith('mmengine.'):
        cause = cause or error.__context__
    return imported_host(cause) if cause else None


def naming_setting(error: BaseException) -> str:
    """The setting that MMEngine was reading when it failed."""
    readers = dict(
        _get_cfg_path='_base_', import_modules_from_strings='custom_imports')
    calls = [frame.name for frame in extract_tb(error.__traceback__)]
    found = [readers[name] for name in calls if name in readers]
    cause = error.__cause__ or error.__context__
    if found or cause is None:
        return found[0] if found else 'an import'
    return naming_setting(cause)


def other_host(path: Union[str, Path], other: str, setting: str) -> ValueError:
    """Explain that a config needs the other host.

    Args:
        path (str or Path): The config.
        other (str): The other host.
        setting (str): The setting that needs it.
    """
    return ValueError(
        f'{path} is a config of {other}, according to {setting}: '
        f'{host.excluded(other, host.NAME)}, or use a config of {host.NAME} '
        'for the same method')
