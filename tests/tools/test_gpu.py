"""The script for a GPU, with an interpreter that only notes its arguments."""
import ast
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from mmregioncl.engine.config import load_config

TESTS = Path(__file__).parents[1]
TOOLS = TESTS.parent / 'tools'
NOTE = """#!/bin/bash
echo "$@" >> "$CALLS"
if [ -e "$CALLS.stop" ] && [[ "$*" == *"$(cat "$CALLS.stop")"* ]]; then
    [ "$STATUS" = wait ] && exec sleep 60
    exit "$STATUS"
fi
echo last line
"""


@pytest.fixture
def gpu(tmp_path, monkeypatch):
    """Call the script; returns status, output, and the calls of Python."""
    interpreter = tmp_path / 'python'
    interpreter.write_text(NOTE)
    interpreter.chmod(0o755)
    calls = tmp_path / 'calls'

    def run(*parts, stop='', status=1, **settings):
        calls.write_text('')
        (tmp_path / 'calls.stop').write_text(stop or 'nothing')
        done = subprocess.run(
            [TOOLS / 'benchmarks/gpu.sh', tmp_path / 'out', *parts],
            env=dict(
                os.environ,
                DEVICE='cuda',  # whatever make exports
                PYTHON=str(interpreter),
                CALLS=str(calls),
                STATUS=str(status),
                CIFAR10=str(tmp_path),
                **settings),
            capture_output=True,
            text=True,
            check=False)
        return done.returncode, done.stdout, calls.read_text().splitlines()

    return run


@pytest.mark.slow
def test_tools_take_the_commands(gpu, monkeypatch):
    status, said, calls = gpu()
    assert status == 0 and 'done: ' in said
    names = []
    for call in calls:
        tool, *args = call.split()
        names.append(Path(tool).stem)
        if tool == '-m':
            assert (TOOLS.parent / args[-1]).exists()
            continue
        path = TOOLS.parent / tool
        monkeypatch.syspath_prepend(path.parent)
        monkeypatch.setattr(sys, 'argv', [tool, *args])
        args = runpy.run_path(str(path))['parse_args']()
        assert getattr(args, 'device', 'cuda') == 'cuda'
        if hasattr(args, 'config'):
            assert args.amp
            load_config(TOOLS.parent / args.config, args.cfg_options)
    assert names == [
        *['-m'] * 4, *['train_step'] * 12, 'switches', 'loader', *['train'] * 5
    ]


def takes_device(path: Path) -> bool:
    """Whether a test of a file has the marker ``device``, or gets it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef):
            names = {argument.arg for argument in node.args.args}
            if node.name.startswith('test_') and {'cuda', 'device'} & names:
                return True
        elif isinstance(node, ast.Attribute):
            if ast.unparse(node) == 'pytest.mark.device':
                return True
    return False


def test_all_tests_of_a_device_are_run(gpu):
    """By folder, and the folders are named in the script."""
    named = [TESTS.parent / call.split()[-1] for call in gpu('tests')[2]]
    wanted = list(filter(takes_device, TESTS.rglob('test_*.py')))
    assert len(wanted) > 5
    for path in wanted:
        assert {path, *path.parents} & set(named), path


def test_goes_on_where_it_stopped(gpu):
    status, said, calls = gpu('tables', 'cifar10', stop='mocov2', status=75)
    assert status == 75 and said.endswith('call again to go on\n')
    assert len(calls) == 15 and 'mocov2' in calls[-1]
    status, said, again = gpu('tables', 'cifar10')
    assert status == 0 and len(again) == 3 and again[0] == calls[-1]


def test_a_call_ends_in_time(gpu):
    assert gpu('tests', CALL='0') == (75, 'call again to go on\n', [])


@pytest.mark.slow
def test_what_takes_more_than_a_call_is_not_tried_again(gpu):
    """Only training goes on where it stopped."""
    short = dict(status='wait', CALL='2')
    status, _, calls = gpu('cifar10', stop='mocov2', **short)
    assert status == 75 and len(calls) == 1
    assert len(gpu('cifar10')[2]) == 3
    status, _, calls = gpu('tests', stop='tests/models', **short)
    assert status == 75 and len(calls) == 1  # the others wait for a call
    status, said, calls = gpu('tests')
    assert status == 1 and len(calls) == 3
    assert 'failed: tests-models.failed' in said


def test_goes_on_after_a_failure(gpu):
    status, said, calls = gpu('tests', 'cifar10', stop='tests/engine')
    assert status == 1 and 'failed: tests-engine.failed' in said
    assert len(calls) == 7
    assert gpu('tests', 'cifar10')[2] == []  # until its mark is removed


def test_unknown_parts_are_refused(gpu):
    assert gpu('all')[0] == 2
