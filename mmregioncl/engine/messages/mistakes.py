"""Explain errors of other packages that a part of the config causes."""
import linecache
import re
import sys
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path
from traceback import walk_tb
from typing import Dict, Optional

import mmengine.registry
from mmengine.config import Config
from mmengine.registry import Registry

from mmregioncl import host
from mmregioncl.datasets.nested import dotted_items, place_inside, type_name
from mmregioncl.validation import arguments_of, did_you_mean

# An error that passes through other packages may be a bug of the user's.
LIBRARIES = {'__main__', *host.PACKAGES, *sys.stdlib_module_names}
PACKAGE = str(Path(__file__).parents[2])
PATH_ERRORS = (FileNotFoundError, PermissionError, IsADirectoryError,
               NotADirectoryError)
REGISTRIES = [
    value for value in vars(mmengine.registry).values()
    if isinstance(value, Registry)
]
FRAME = r'  File "(.+)", line \d+, in \S+\n((?:    .*\n)*)'
# What MMEngine and Python say of a class that cannot be built
NOT_BUILT = (r'([\w.]+?)(?:\.__init__)?(?: is not in the \S+ registry|\(\) '
             r"missing .+|\(\) got an unexpected keyword argument '(\w+)')")


def explain_mistake(error: BaseException) -> Optional[str]:
    """Name the part of the config that another package rejects.

    That is the part whose class raised the error or could not be built. Other
    errors may come from a bug and are not explained.

    Args:
        error (BaseException): Any error.

    Returns:
        str or None: A sentence that says what to correct.
    """
    with suppress(Exception):  # it would hide the error that is explained
        return refusal_of_worker(str(error)) or explain(error)
    return None


def refusal_of_worker(text: str) -> Optional[str]:
    """The message of this package in an error of a data worker."""
    last = text.rpartition('Traceback (most recent call last):\n')[2]
    calls = re.findall(FRAME, last)
    if text.startswith('Caught ') and calls:
        path, code = calls[-1]
        if path.startswith(PACKAGE) and code.strip().startswith('raise '):
            return re.sub(FRAME, '', last).strip().partition(': ')[2]
    return None


def explain(error: BaseException) -> Optional[str]:
    """Explain an error of this process."""
    frames, lines = zip(*walk_tb(error.__traceback__))
    modules = [frame.f_globals.get('__name__', '') for frame in frames]
    packages = [name.partition('.')[0] for name in modules]
    if '__main__' in packages:  # what calls a tool does not matter
        del packages[:packages.index('__main__')]
    if not LIBRARIES.issuperset(packages):
        return None
    last = frames[-1]
    if isinstance(error, PATH_ERRORS) and modules[-1].startswith(
            'mmengine.fileio') and last.f_code.co_name.startswith('get'):
        return (f'cannot read {error.filename} ({error.strerror}): correct it,'
                ' or the setting or list that names it')

    parts = parts_of_config(frames)
    text = str(error.args[0] if isinstance(error, KeyError) else error)
    if text == 'None is not a callable object':  # MMEngine of an optimizer
        kind = next(parts[key]['type'] for key in parts
                    if key.endswith('optimizer'))
        text = f'{kind} is not in the mmengine::optimizer registry'
    types = {short(type_name(part)) for part in parts.values()}
    owner, name = next(
        ((frame, name)
         for frame in frames[::-1] if (name := class_of(frame)) in types),
        (None, ''))
    found = re.match(NOT_BUILT, text)
    code = linecache.getline(last.f_code.co_filename, lines[-1]).strip()
    building = owner and owner.f_code.co_name == '__init__'
    deliberate = isinstance(error, AssertionError) or code.startswith('raise ')
    keyword = found[2] if found else None
    if found:
        text, named = found[0], short(found[1].rpartition('.')[2])
        if named in types:
            name = named
        elif not building or owner is not last:
            if not keyword or '**' not in code:  # a bug of a method
                return None
            name = ''  # of a part that needs no type
    elif isinstance(error, KeyError) and f"results['{text}']" in code:
        text = f'needs {text!r}, which no earlier transform provides'
    elif packages[-1] == 'mmregioncl' or \
            sum((deliberate, owner is last, bool(building))) < 2:
        return None  # without two of these signs, it may be a bug
    return blame(parts, name, text, keyword, last.f_locals.get('obj_cls'))


def blame(parts: Dict[str, dict], name: str, text: str, keyword: Optional[str],
          kind: Optional[type]) -> Optional[str]:
    """Name the part of the config to correct.

    Args:
        parts (dict[str, dict]): Parts of the config by dotted keys.
        name (str): Short name of the type to blame, '' for a part without one.
        text (str): What is wrong with it.
        keyword (str, optional): The unknown argument.
        kind (type, optional): Class that a part without a type is for.
    """
    blamed: Dict[str, dict] = {}
    for key, part in parts.items():
        if short(type_name(part)) == name and (keyword or 'type') in part and \
                part not in blamed.values():  # as copies of a variable are
            blamed[key] = part
    if not blamed or not text:
        return None
    key, part = next(iter(blamed.items()))
    remedy = 'type, or import its module by custom_imports' if \
        text.endswith(' registry') else 'settings'
    named = f'{type_name(part)} in ' if name else ''
    inner = keyword and place_inside(part, keyword)
    hint = f' ({key}.{inner}?)' if inner else name_meant(
        part.get('type') or kind, keyword)
    return (f'{named}{" or ".join(blamed)}: '
            f'{text.splitlines()[0][:300]}: correct its {remedy}'
            f'{hint}')


def parts_of_config(frames: tuple) -> Dict[str, dict]:
    """Dicts in the config of the run, by dotted keys."""
    cfg = next(value for frame in frames for value in frame.f_locals.values()
               if isinstance(value, Config))
    return {
        key: part
        for key, part in dotted_items(cfg._cfg_dict) if isinstance(part, dict)
    }


def class_of(frame) -> str:
    """Short name of the class whose method a frame runs."""
    return short(type(frame.f_locals.get('self')).__name__)


def short(name: str) -> str:
    """Name of a head or neck before an algorithm adds ``Region`` to it."""
    return name.removeprefix('Region')


def name_meant(kind, keyword: Optional[str]) -> str:
    """A similar type, or a similar argument of the type, for a message."""
    known = dict(PackInputs='mmregioncl.PackSelfSupInputs')  # of MMPretrain
    for registry in REGISTRIES:
        if isinstance(kind, str):
            with registry.switch_scope_and_registry(None) as current:
                kind = current.get(kind) or kind
    if not isinstance(kind, str):
        return did_you_mean(keyword,
                            arguments_of(kind)) if keyword and kind else ''
    for registry in REGISTRIES:
        known.update(registered_names(registry))
    near = get_close_matches(kind.rpartition('.')[2], known, 1, 0.8)
    return f' ({known[near[0]]}?)' if near else ''


def registered_names(registry: Registry) -> Dict[str, str]:
    """Names in a registry and its children, and how a config writes them."""
    prefix = f'{registry.scope}.' if registry.parent else ''
    found = {name: prefix + name for name in registry.module_dict}
    for part in registry.children.values():
        found = registered_names(part) | found
    return found
