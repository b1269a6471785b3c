"""Find the cause of an error, as a sentence for its reader."""
import linecache
import os
import re
from pathlib import Path
from traceback import format_tb, walk_tb
from typing import Dict, Optional

from mmengine.dist import get_world_size

PACKAGE = str(Path(__file__).parent)
FRAME = r'  File "(.+)", line \d+, in \S+\n((?:    .*\n)*)'
# What the advice below names
TRAINING = dict(
    workers='train_dataloader.num_workers',
    batch='train_dataloader.batch_size',
    timeout='train_dataloader.timeout',
    or_else=', or use --amp or mmregioncl.GradientCheckpointHook')
EVALUATION = dict(
    workers='--workers',
    batch='--batch-size',
    timeout='the timeout',
    or_else='')
LOST = 'another process ended or hangs'
# What PyTorch says, the cause, and what to do
CAUSES = (
    (r'DataLoader worker.*(Bus error|shared memory)|unable to mmap|'
     r'</torch_.*No space left on device', 'shared memory ran out',
     'raise the limit of the container, for example with docker --shm-size, '
     'or lower {workers}'),
    (r'^Caught \w*MemoryError in DataLoader worker',
     'memory ran out in a data worker',
     'lower {workers} or {batch}'),
    # As by a scheduler or a launcher, of all processes of a job
    (r'DataLoader worker.*killed by signal: Terminated',
     'a data worker was told to stop',
     'look for the first error in the logs of all processes'),
    (r'DataLoader worker.*(killed by signal|exited unexpectedly)',
     'a data worker was killed, most likely because memory ran out',
     'lower {workers} or {batch}'),
    (r'DataLoader timed out',
     'no batch arrived within {timeout}',
     'check the storage of the data'),
    (r'^\w*MemoryError: |(CUDA|Cuda) (error: |failure .*)?out of memory|'
     r'ALLOC_FAILED|DefaultCPUAllocator: .* memory', 'memory ran out',
     'lower {batch}{or_else}'),
    (r'Connection (closed by peer|reset by peer|refused)|Broken pipe|Socket '
     r'closed|[Tt]imed out waiting|Watchdog caught collective|recv.*failed|'
     r'NCCL error', LOST,
     'look for the first error in the logs of all of them'),
)  # yapf: disable


def describe_error(error: BaseException, settings: Dict[str,
                                                        str]) -> Optional[str]:
    """Describe an error in a sentence that says what to do.

    Args:
        error (BaseException): An error that was raised.
        settings (dict[str, str]): See :func:`explain_cause`.

    Returns:
        str or None: The message of an error that this package raised, in this
        process or in a data worker, or the cause of one of PyTorch. None if
        neither is known.
    """
    if is_refusal(error):
        return str(error.args[0] if isinstance(error, KeyError) else error)
    return refusal_of_worker(str(error)) or explain_cause(
        dead_worker(error) or error, settings)


def is_refusal(error: BaseException) -> bool:
    """Whether a ``raise`` statement of this package or its tools made an
    error.

    Its message says what to do. A RuntimeError raised from another error is
    not a refusal: the traceback shows the cause.
    """
    explained = isinstance(error, RuntimeError) and error.__cause__
    if not isinstance(error, Exception) or explained or not error.args:
        return False
    *_, (frame, line) = walk_tb(error.__traceback__)
    code = linecache.getline(frame.f_code.co_filename, line).strip()
    package = frame.f_globals.get('__name__', '').partition('.')[0]
    return code.startswith('raise ') and package in ('mmregioncl', '__main__')


def refusal_of_worker(text: str) -> Optional[str]:
    """The sentence that this package raised in a data worker.

    Args:
        text (str): PyTorch's error, which repeats the traceback of the worker.

    Returns:
        str or None: The sentence. None for an error of this process, and for
        one that another package raised.
    """
    last = text.rpartition('Traceback (most recent call last):\n')[2]
    calls = re.findall(FRAME, last)
    if text.startswith('Caught ') and calls:
        path, code = calls[-1]
        if path.startswith(PACKAGE +
                           os.sep) and code.strip().startswith('raise '):
            return re.sub(FRAME, '', last).strip().partition(': ')[2]
    return None


def explain_cause(error: BaseException, settings: Dict[str,
                                                       str]) -> Optional[str]:
    """Explain an error of PyTorch that has its cause elsewhere.

    Args:
        error (BaseException): The error.
        settings (dict[str, str]): What the advice names: :data:`TRAINING` or
            :data:`EVALUATION`.

    Returns:
        str or None: The cause and what to do, None if unknown.
    """
    text = str(error)
    if isinstance(error, MemoryError) and not text.startswith('Caught '):
        text = f'{type(error).__name__}: {text}'
    elif isinstance(error, (ConnectionError, EOFError)) and \
            '/multiprocessing/' in text + ''.join(
                format_tb(error.__traceback__)):
        # The pipe of a worker has ended, maybe in the thread that pins memory.
        text = 'DataLoader worker exited unexpectedly'
    elif not isinstance(error, (RuntimeError, MemoryError)):
        return None
    # "Caught ..." repeats the error of a worker with its traceback. Only a
    # lack of memory is explained there.
    causes = CAUSES[:2] if text.startswith('Caught ') else CAUSES
    alone = get_world_size() == 1 and '/torch/distributed/' not in ''.join(
        format_tb(error.__traceback__))
    for pattern, cause, advice in causes:
        if re.search(pattern, text) and not (cause == LOST and alone):
            return f'{cause}: {advice}'.format(**settings)
    return None


def dead_worker(error: BaseException) -> Optional[BaseException]:
    """The error of a dead data worker that led to another error.

    It may come at any time. Code that catches it, such as that of yapf, raises
    its own error.
    """
    while error and 'is killed by signal' not in str(error):
        error = error.__context__
    return error
