"""Explain errors of other packages that a part of the config causes."""
import linecache
import re
import sys
from contextlib import suppress
from difflib import get_close_matches
from traceback import walk_tb
from types import FrameType
from typing import Dict, Optional, Sequence, Tuple
from urllib.error import URLError

from mmengine.config import Config
from mmengine.registry import Registry

from mmregioncl import host
from mmregioncl.causes import refusal_of_worker
from mmregioncl.datasets.nested import dotted_items, places_inside, type_name
from mmregioncl.datasets.transforms import steps_of
from mmregioncl.validation import arguments_of, did_you_mean

# An error that passes through other packages may be a bug of the user's.
LIBRARIES = {'__main__', *host.PACKAGES, *sys.stdlib_module_names}
# What looks up the type of a part of the config, and calls it
BUILDERS = ('mmengine.registry.build_functions',
            'mmengine.optim.optimizer.default_constructor')
TYPES = ('obj_cls', 'scheduler_cls', 'optimizer_cls')  # their variables
ABSENT = object()  # no type was looked up
# What a path that is wrong raises
PATH_ERRORS = (FileNotFoundError, IsADirectoryError, NotADirectoryError,
               PermissionError)
# What Python says of a call with wrong arguments
WRONG_CALL = (r'(\S+?)(?:\.__init__)?\(\) (?:missing .+|'
              r"got an unexpected keyword argument '(\w+)')")


def explain_mistake(error: BaseException) -> Optional[str]:
    """Name the part of the config that another package rejects.

    That is a part that could not be built, or a step of a pipeline whose input
    is missing. Other errors may come from a bug and are not explained.

    Args:
        error (BaseException): Any error.

    Returns:
        str or None: A sentence that says what to correct.
    """
    with suppress(Exception):  # it would hide the error that is explained
        return refusal_of_worker(str(error)) or explain(error)
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
    code = linecache.getline(frames[-1].f_code.co_filename, lines[-1]).strip()
    call, last = frames[-1].f_code.co_name, frames[-1].f_locals
    text = str(error.args[0] if isinstance(error, KeyError) else error)
    own = any(map(runs_own, frames))
    if isinstance(error, PATH_ERRORS) and call.startswith('get') and \
            modules[-1].startswith('mmengine.fileio'):
        return None if own else (
            f'cannot read {error.filename} ({error.strerror}): correct it, or '
            'the setting or list that names it')
    if isinstance(error, (URLError, TimeoutError, ConnectionError)):
        path = next(frame.f_locals['filepath']
                    for frame, module in zip(frames, modules)
                    if module.startswith('mmengine.fileio.backends'))
        reason = getattr(error, 'reason', error)
        return (f'cannot read {path} ({reason}): correct it, or the setting or'
                ' list that names it, or look at the server')
    if isinstance(error, KeyError) and f"results['{text}']" in code:
        return None if own else blame(
            frames, dict(type=type(last['self'])),
            f'needs {text!r}, which no earlier transform provides')
    builder = next(frame.f_locals for frame in frames[::-1]
                   if frame.f_globals.get('__name__') in BUILDERS)
    given = builder.get('cfg') or builder['self'].optimizer_cfg
    kind = next((builder[name] for name in TYPES if name in builder), ABSENT)
    if kind is ABSENT:  # the part is no dict with a type
        return blame(frames, given, text) or f'{given!r}: {text}'
    if kind is None:
        registry = builder['registry']
        lacking = (f'{given["type"]} is not in the {registry.scope}::'
                   f'{registry.name} registry')
        remedy = ('correct its type, or import its module by custom_imports'
                  f'{similar(given["type"], registry.root)}')
        # A constructor has no part of its own in the config.
        return blame(frames, given, lacking, remedy) or f'{lacking}: {remedy}'
    found = re.match(WRONG_CALL, text)
    if found and isinstance(error, TypeError):
        name, keyword = found.groups()
        owners = [one.__qualname__ for one in getattr(kind, '__mro__', [kind])]
        # A call of the parent in a class of the user's may be a bug.
        if name in owners[:1 if host.is_own(kind) and not keyword else None]:
            near = did_you_mean(keyword, arguments_of(kind)) if keyword else ''
            return blame(frames, given, found[0],
                         f'correct its settings{near}', keyword)
    elif not host.is_own(kind):
        if call != '__init__' or not (isinstance(error, AssertionError)
                                      or code.startswith('raise ')):
            text = f'{type(error).__name__}: {text}'  # it may say little
        return blame(frames, given, text.strip(': '))
    return None  # it may be a bug


def blame(frames: Sequence[FrameType],
          given: dict,
          text: str,
          remedy: str = 'correct its settings',
          keyword: Optional[str] = None) -> Optional[str]:
    """Say which part of the config to correct.

    One of the frames has the config. The part is most like what was given to
    be built, which its parent may have changed. It has an unknown keyword, or
    lacks what is missing.
    """
    cfg = next(value for frame in frames for value in frame.f_locals.values()
               if isinstance(value, Config))
    lacking = re.findall(r"'(\w+)'", text) if ' missing ' in text else ()
    blamed: Dict[str, dict] = {}
    # The least. A hook such as EMAHook passes settings to another type.
    best = (not keyword, bool(keyword), 0)
    for key, part in dotted_items(cfg._cfg_dict):
        if isinstance(part, dict) and (not keyword or keyword in part) and \
                part.keys().isdisjoint(lacking) and \
                part not in blamed.values():  # as the copies of a variable
            if (like := likeness(part, given)) > best:
                blamed, best = {}, like
            if like == best:
                blamed[key] = part
    if not blamed:
        return None
    key, part = next(iter(blamed.items()))
    if keyword and (inner := places_inside(part, keyword)):
        remedy = f'correct its settings ({key}.{inner[0]}?)'
    elif keyword and not remedy.endswith('?)'):
        remedy = 'remove it, or drop the settings of a base by _delete_=True'
    named = f'{type_name(part)} in ' if type_name(part) else ''
    return (f'{named}{" or ".join(blamed)}: {text.splitlines()[0][:300]}: '
            f'{remedy}')


def likeness(part: dict, given: dict) -> Tuple[bool, bool, int]:
    """Whether a part of the config may be what was built, whether it has a
    type, and how many equal settings."""
    equal = sum(name != 'type' and name in given and given[name] == value
                for name, value in part.items())
    # Algorithms add Region to the names of heads and necks.
    kind, built = (
        type_name(one).removeprefix('Region') for one in (part, given))
    left_out = not kind and equal == len(part) > 0  # its parent sets the type
    return kind == built or left_out, bool(kind), equal


def runs_own(frame: FrameType) -> bool:
    """Whether a frame runs a user's own class, or a pipeline with one."""
    owner = frame.f_locals.get('self')
    return owner is not None and any(
        host.is_own(type(step)) for step in (owner, *steps_of(owner)))


def similar(name: str, registry: Registry) -> str:
    """A type that is registered by a similar name, for a message."""
    known = dict(PackInputs='mmregioncl.PackSelfSupInputs')  # of MMPretrain
    known.update(registered_names(registry))
    near = get_close_matches(name.rpartition('.')[2], known, 1, 0.8)
    return f' ({known[near[0]]}?)' if near else ''


def registered_names(registry: Registry) -> Dict[str, str]:
    """Names in a registry and its children, and how a config writes them."""
    prefix = f'{registry.scope}.' if registry.parent else ''
    found = {name: prefix + name for name in registry.module_dict}
    for part in registry.children.values():
        found = registered_names(part) | found
    return found
