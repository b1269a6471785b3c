"""Errors of other packages that a setting or a file causes, in a sentence.

The traceback is hidden only if a setting, an image or a file is certain to be
the cause.
"""
import linecache
import re
import sys
import traceback
from contextlib import suppress
from typing import Any, Dict, List, NamedTuple, Optional

from mmengine.config import Config
from mmengine.registry import Registry

from mmregioncl import host
from mmregioncl.datasets.nested import dotted_items, type_name
from mmregioncl.validation import arguments_of, meant, proposal, similar

# Errors that pass through other packages may be a user's own.
LIBRARIES = {'__main__', *host.PACKAGES, *sys.stdlib_module_names}
# Others, as of too many open files, are not the path's.
PATH_ERRORS = ('FileNotFoundError', 'PermissionError', 'IsADirectoryError',
               'NotADirectoryError')
# What a part raises that lacks its package
PACKAGE_ERRORS = ('ImportError', 'ModuleNotFoundError', 'RuntimeError')
# Others, as of a missing package, are not the settings'.
SETTING_ERRORS = ('AssertionError', 'KeyError', 'TypeError', 'ValueError')
FRAME = r'  File "(.+)", line \d+, in (\S+)\n((?:    .*\n)*)'


class Call(NamedTuple):
    """A call on the way to an error."""
    module: str
    function: str
    line: str  # of its code
    values: dict  # of its variables; not known of a data worker


class Failure(NamedTuple):
    """An error, and the calls that led to it, the last one last."""
    kind: str
    text: str
    calls: List[Call]
    in_worker: bool

    def is_raised(self) -> bool:
        """Whether a ``raise`` statement made it."""
        return self.calls[-1].line.startswith('raise ')

    def refusal(self) -> Optional[str]:
        """What a statement said that raised it; None if none did."""
        if self.is_raised() or self.kind == 'AssertionError':
            return self.text.partition('\n')[0][:300] or None
        return None

    def values_of(self, name: str) -> Dict[str, Any]:
        """Variables of the last call that has one of this name."""
        return next((call.values
                     for call in self.calls[::-1] if name in call.values), {})

    def settings(self) -> Dict[str, Any]:
        """The config of the run, by dotted keys."""
        for call in self.calls[::-1]:
            for value in call.values.values():
                if isinstance(value, Config):
                    return dict(dotted_items(value._cfg_dict))
        return {}


def explain_mistake(error: BaseException) -> Optional[str]:
    """Say which setting or file is at fault, and what to do.

    Args:
        error (BaseException): Of this process, or repeated from a data worker.

    Returns:
        str or None: A sentence; None if that is not known for sure.
    """
    with suppress(Exception):  # which would take the place of the error
        failure = failure_of(error)
        packages = [call.module.partition('.')[0] for call in failure.calls]
        if '__main__' in packages:  # What calls a tool does not matter.
            del packages[:packages.index('__main__')]
        if not LIBRARIES.issuperset(packages):
            return None
        if packages[-1] == 'mmregioncl' and failure.refusal():
            return failure.text if failure.in_worker else None
        return explain_package(failure) or explain_step(failure) or \
            explain_type(failure) or explain_build(failure) or \
            explain_input(failure)
    return None


def failure_of(error: BaseException) -> Failure:
    """Read what has happened, also in a data worker."""
    text = str(error)
    if isinstance(error, KeyError) and len(error.args) == 1:
        text = str(error.args[0])  # without quotes
    if re.match(r'Caught \w+ in DataLoader worker', text):
        last = text.rpartition('Traceback (most recent call last):\n')[2]
        calls = [
            Call(module_of(path), function, code.strip(), {})
            for path, function, code in re.findall(FRAME, last)
        ]
        kind, _, text = re.sub(FRAME, '', last).strip().partition(': ')
        return Failure(kind, text, calls, in_worker=True)
    calls = [
        Call(
            frame.f_globals.get('__name__', ''), frame.f_code.co_name,
            linecache.getline(frame.f_code.co_filename, line).strip(),
            frame.f_locals)
        for frame, line in traceback.walk_tb(error.__traceback__)
    ]
    return Failure(type(error).__name__, text, calls, in_worker=False)


def module_of(path: str) -> str:
    """Name of the module that is in a file; '' if it is not imported."""
    # getattr would make lazy modules import what they stand for.
    return next((name for name, module in [*sys.modules.items()]
                 if getattr(module, '__dict__', {}).get('__file__') == path),
                '')


def explain_package(failure: Failure) -> Optional[str]:
    """A part of the config whose package is not installed."""
    said = failure.refusal()
    if failure.kind not in PACKAGE_ERRORS or 'install' not in (said or ''):
        return None
    settings = failure.settings()
    for call in failure.calls[::-1]:
        kind = type(call.values.get('self')).__name__
        for key, part in settings.items():
            if isinstance(part, dict) and type_name(part) == kind:
                return (f'{kind} needs a package that is not installed, '
                        f'install it or remove {key}: {said}')
    return None


def explain_step(failure: Failure) -> Optional[str]:
    """A step of a pipeline that lacks what it reads, or a missing file."""
    last, name = failure.calls[-1], failure.text.strip("'")
    if failure.kind == 'KeyError' and \
            re.search(rf'\bresults\[.{re.escape(name)}.\]', last.line):
        step = last.values.get('self')
        owner = type(step).__name__ if step else last.module
        remedy = 'mmregioncl.LoadImage' if name == 'img' else \
            'the step that does'
        return (f'{owner} needs {name!r}, which no step before it in the '
                f'pipeline makes: add {remedy}')
    found = re.match(r'\[Errno \d+\] (.+): [\'"](.+)[\'"]$', failure.text)
    if found and failure.kind in PATH_ERRORS and \
            last.module.startswith('mmengine.fileio') and \
            last.function.startswith('get'):
        return (f'cannot read {found[2]} ({found[1]}): correct it, or the '
                'setting or list that names it')
    return None


def explain_type(failure: Failure) -> Optional[str]:
    """A type that no registry knows."""
    values = failure.values_of('registry')
    if values.get('obj_cls', '') is None:
        name = values['obj_type']
    elif values.get('optimizer_cls', '') is None:
        name = values['optimizer_cfg']['type']
    else:
        return None
    for key, value in failure.settings().items():
        if value == name and key.endswith('type'):
            known = registered_names(values['registry'].root)
            near = known.get(similar(name.rpartition('.')[2], known, 0.8))
            return (f'{key}={name!r} is not known{proposal(near)}: correct it,'
                    ' or let custom_imports import the module that registers '
                    'it')
    return None


def registered_names(registry: Registry) -> Dict[str, str]:
    """Names in a registry and in those below it, and what to write for them.

    Those of MMEngine need no prefix.
    """
    prefix = f'{registry.scope}.' if registry.parent else ''
    found = {name: prefix + name for name in registry.module_dict}
    for part in registry.children.values():
        found = registered_names(part) | found
    return found


def explain_build(failure: Failure) -> Optional[str]:
    """A part of the config that the class refuses which is built of it."""
    last, values = failure.calls[-1], failure.values_of('obj_cls')
    kind, settings = values.get('obj_cls'), failure.settings()
    key = kind and key_of(kind, values['args'], settings)
    if not key:
        return None
    known = arguments_of(kind)
    found = re.search(r'got an unexpected keyword argument .(\w+)',
                      failure.text)
    if found and f'{key}.{found[1]}' in settings and found[1] not in known:
        hint = proposal(meant(found[1], known))
        return (f'{key}.{found[1]} is no setting of {kind.__name__}{hint}: '
                'correct its name')
    found = re.search(r'missing \d+ required .+ arguments?: (.+)',
                      failure.text)
    if found and last.function == 'build_from_cfg':
        return f'{kind.__name__} lacks {found[1]}: set it in {key}'
    if failure.kind in SETTING_ERRORS and failure.refusal() and \
            last.function == '__init__' and \
            isinstance(last.values.get('self'), kind):
        return (f'{kind.__name__} refuses its settings in {key}, correct '
                f'them: {failure.refusal()}')
    return None


def explain_input(failure: Failure) -> Optional[str]:
    """Images that the backbone refuses, as those smaller than its windows."""
    name = type_name(failure.settings().get('model.backbone', {}))
    own = [
        call for call in failure.calls if call.function == 'forward'
        and type(call.values.get('self')).__name__ == name
    ]
    if own and failure.kind == 'AssertionError' and failure.refusal():
        return (f'{name} refuses its images, correct their size or the '
                f'settings in model.backbone: {failure.refusal()}')
    return None


def key_of(kind: type, given: dict, settings: Dict[str, Any]) -> str:
    """Dotted key of the part of a config that a class is built of; '' if there
    is none, or if several may be it."""
    # The algorithms turn necks and heads into their region versions, and parts
    # with a type may be built before the whole.
    names = kind.__name__, kind.__name__.removeprefix('Region')
    found = {
        key: part
        for key, part in settings.items()
        if isinstance(part, dict) and type_name(part) in names and all(
            given.get(name) == value
            or name in given and isinstance(value, dict) and 'type' in value
            for name, value in part.items() if name not in ('type', '_scope_'))
    }
    most = max(map(len, found.values()), default=0)
    first, *others = [key for key in found if len(found[key]) == most] or ['']
    # What is wrong with one is wrong with its copies, as in a variable.
    return first if all(found[key] == found[first] for key in others) else ''
