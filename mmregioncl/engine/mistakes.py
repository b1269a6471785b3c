"""Errors of other packages that a setting or a file causes, in a sentence.

Whatever may be a fault of this package, or of a user's own code, is not among
them.
"""
import linecache
import re
import sys
import traceback
from difflib import get_close_matches
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Tuple

from mmengine.config import Config
from mmengine.registry import Registry

from mmregioncl.datasets.nested import dotted_items, type_name
from mmregioncl.validation import arguments_of

# Packages that do what settings say
LIBRARIES = {
    '__main__', 'mmregioncl', 'mmengine', 'mmcv', 'mmcls', 'mmselfsup',
    'mmpretrain', 'mmdet', 'mmseg', 'torch', 'torchvision',
    *sys.stdlib_module_names
}
# Parts of this package that hand settings on to others
HANDING_ON = (r'mmregioncl\.(host|registry|compat\..+|engine\.(config|failures'
              r')|hooks\.dry_run_hook)$')
FRAME = r'  File "(.+)", line \d+, in (\S+)\n((?:    .*\n)*)'
REFUSALS = ('AssertionError', 'AttributeError', 'ImportError', 'KeyError',
            'TypeError', 'ValueError')
LONGEST = 300  # letters of a message that is repeated


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

    @property
    def raised(self) -> bool:
        """Whether a statement has raised it, on purpose."""
        return self.kind == 'AssertionError' or \
            self.calls[-1].line.startswith('raise ')

    def value(self, name: str) -> Any:
        """A variable, of the last call that has one of this name."""
        return next((call.values[name]
                     for call in self.calls[::-1] if name in call.values),
                    None)

    def settings(self) -> Iterator[Tuple[str, Any]]:
        """Dotted keys and values in the config of the run."""
        values = (
            value for call in self.calls[::-1]
            for value in call.values.values())
        config = next((v for v in values if isinstance(v, Config)), None)
        return dotted_items(config._cfg_dict if config else {})

    def built(self) -> Tuple[Any, str]:
        """The class of what was being built, and the key of its config.

        The key is '' if the config has it not so.
        """
        values = next(
            (call.values
             for call in self.calls[::-1] if call.values.get('obj_cls')), {})
        kind = values.get('obj_cls')
        for key, part in self.settings() if kind else ():
            if isinstance(part, dict) and type_name(part) == kind.__name__ \
                    and {*part} - {'type', '_scope_'} <= {*values['args']}:
                return kind, key
        return kind, ''


def explain_mistake(error: BaseException) -> Optional[str]:
    """Say which setting or file is at fault, and what to do.

    Args:
        error (BaseException): Of this process, or repeated from a data worker.

    Returns:
        str or None: A sentence; None if that is not known for sure.
    """
    failure = failure_of(error)
    modules = [call.module for call in failure.calls]
    if '__main__' in modules:  # What calls a tool does not matter.
        del modules[:modules.index('__main__')]
    if not modules or any(
            name.partition('.')[0] not in LIBRARIES for name in modules):
        return None
    last = failure.calls[-1]
    if last.module.startswith('mmregioncl.') and \
            last.line.startswith('raise '):
        return None if last.values else failure.text  # of a data worker
    explanations = (unknown_type, wrong_name, missing_name, missing_key,
                    missing_file, refused_image, refused_value)
    return next(filter(None, (one(failure) for one in explanations)), None)


def failure_of(error: BaseException) -> Failure:
    """Read what has happened, also in a data worker."""
    while error.__suppress_context__ and \
            type(error.__context__) is type(error):
        error = error.__context__  # to which MMEngine has added words
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
        return Failure(kind, text, calls)
    return Failure(
        type(error).__name__, text, [
            Call(
                frame.f_globals.get('__name__', ''), frame.f_code.co_name,
                linecache.getline(frame.f_code.co_filename, line).strip(),
                frame.f_locals)
            for frame, line in traceback.walk_tb(error.__traceback__)
        ])


def module_of(path: str) -> str:
    """Name of the module that is in a file; '' if it is not imported."""
    # getattr would make lazy modules import what they stand for.
    return next((name for name, module in [*sys.modules.items()]
                 if getattr(module, '__dict__', {}).get('__file__') == path),
                '')


def unknown_type(failure: Failure) -> Optional[str]:
    """A type that no registry knows."""
    found = re.match(r'(\S+) is not in the \S+::.+ registry\. ', failure.text)
    name = found and found[1]
    if failure.text.startswith('Cannot find None in registry'):  # of MMCV
        name = failure.value('layer_type')
    elif failure.calls[-1].module == 'inspect':
        name = (failure.value('optimizer_cfg') or {}).get('type')
    if not name:
        return None
    key = next((f'{key}=' for key, value in failure.settings()
                if value == name and key.endswith('type')), '')
    registry = failure.value('registry')
    near = ''
    if isinstance(registry, Registry):
        near = similar(name.rpartition('.')[2], names_in(registry.root))
    return (f'{key}{name!r} is not known{near}: correct it, or let '
            'custom_imports import the module that registers it')


def names_in(registry: Registry) -> Dict[str, str]:
    """Names in a registry and in those below it, and what to write for them.

    Those of MMEngine need no prefix.
    """
    prefix = f'{registry.scope}.' if registry.parent else ''
    found = {name: prefix + name for name in registry.module_dict}
    for part in registry.children.values():
        found = names_in(part) | found
    return found


def wrong_name(failure: Failure) -> Optional[str]:
    """A setting that a class or function does not have."""
    found = re.search(
        r'(\w+)(\.__init__)?\(\) got an unexpected keyword argument .(\w+)',
        failure.text)
    if failure.kind != 'TypeError' or not found:
        return None
    name, kind, part = found[3], *failure.built()
    # It was handed on to where it is not known, not written in the code.
    handed = any(
        isinstance(value, dict) and name in value
        for value in failure.calls[-1].values.values())
    keys = [
        key for key, _ in failure.settings() if key.rpartition('.')[2] == name
    ]
    if not handed or not keys:
        return None
    inside = [key for key in keys if key.rpartition('.')[0] == part]
    owner = kind.__name__ if inside else found[1]
    near = similar(name, {n: n for n in arguments_of(kind)}) if inside else ''
    return (f'{(inside or keys)[0]} is no setting of {owner}{near}: correct '
            'its name')


def similar(name: str, known: Dict[str, str]) -> str:
    """Name what a user may have meant."""
    near = get_close_matches(name, known, 1)
    return f' ({known[near[0]]}?)' if near else ''


def missing_name(failure: Failure) -> Optional[str]:
    """A setting that a class needs."""
    found = re.search(r'missing \d+ required [\w-]+ arguments?: (.+)',
                      failure.text)
    if failure.kind != 'TypeError' or not found or \
            failure.calls[-1].function != 'build_from_cfg':
        return None
    kind, key = failure.built()
    return (f'{kind.__name__} lacks {found[1]}: set it in {key}'
            if key else None)


def missing_key(failure: Failure) -> Optional[str]:
    """A step of a pipeline that finds less than it needs."""
    last, name = failure.calls[-1], failure.text.strip("'")
    if failure.kind == 'KeyError' and f"data_info['{name}']" in last.line and \
            'sampler' in last.module:
        return (f'{type(last.values.get("self")).__name__} needs {name!r}, '
                'which the data set does not say of its images: take another '
                'sampler')
    there = last.values.get('results')
    lacks = name not in there if isinstance(there, dict) else \
        re.search(rf'\bresults\[.{re.escape(name)}.\]', last.line)
    if failure.kind != 'KeyError' or not lacks:
        return None
    step = failure.value('self')
    owner = type(step).__name__ if step else last.module
    remedy = 'mmregioncl.LoadImage' if name == 'img' else 'the step that does'
    return (f'{owner} needs {name!r}, which no step before it in the pipeline '
            f'makes: add {remedy}')


def missing_file(failure: Failure) -> Optional[str]:
    """A file that cannot be read."""
    found = re.match(r'\[Errno \d+\] (.+): [\'"](.+)[\'"]$', failure.text)
    if not found or not failure.calls[-1].module.startswith('mmengine.fileio'):
        return None
    return (f'cannot read {found[2]} ({found[1]}): correct it, or the setting '
            'or list that names it')


def refused_image(failure: Failure) -> Optional[str]:
    """An image that a step of a pipeline does not take."""
    steps = [call for call in failure.calls if call.function == 'transform']
    if not steps or not failure.raised or not failure.text:
        return None
    step = steps[-1].values.get('self')
    owner = type(step).__name__ if step else steps[-1].module
    return (f'{owner} refuses an image, correct it, or the settings of this '
            f'step: {failure.text}')


def refused_value(failure: Failure) -> Optional[str]:
    """A value that is refused by whom a config hands it to."""
    calls = failure.calls
    begin = max((place for place, call in enumerate(calls)
                 if re.match(r'build_(\w+_)?from_cfg', call.function)),
                default=-1)
    trains = any('.loops' in call.module and call.function == 'run'
                 for call in calls)
    others = [
        call for call in calls[begin + 1:]
        if call.module.startswith('mmregioncl.') and call.function !=
        '__init__' and not re.match(HANDING_ON, call.module)
    ]
    if not failure.raised or not failure.text or others or \
            begin < 0 and (trains or failure.kind not in REFUSALS):
        return None
    text = failure.text.splitlines()[0]
    if len(text) > LONGEST:
        text = f'{text[:LONGEST]}...'
    kind, key = failure.built()
    if begin < 0 or kind is None:
        return f'the config is refused, correct it: {text}'
    return (
        f'{kind.__name__} refuses its settings{f" in {key}" if key else ""}'
        f', correct them: {text}')
