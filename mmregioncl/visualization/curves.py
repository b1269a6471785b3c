import json
import re
from pathlib import Path
from typing import Dict, List, Optional, Union

from matplotlib.figure import Figure

from mmregioncl.files import printable


def read_scalars(work_dir: Union[str, Path]) -> List[Dict[str, float]]:
    """Read the scalars that a run logged.

    These are the scalars of the last run in the work dir, and of the runs it
    was resumed from up to that step.

    Args:
        work_dir (str or Path): Work dir of an MMEngine runner.

    Returns:
        list[dict[str, float]]: One dict per log entry, with its ``step``.

    Raises:
        FileNotFoundError: If nothing was logged there.
    """
    logs = sorted(Path(work_dir).glob('*/vis_data/scalars.json'))
    if not logs:
        raise FileNotFoundError(f'{work_dir} has no */vis_data/scalars.json: '
                                'use the work dir of a run')
    scalars: List[Dict[str, float]] = []
    for log in logs:
        rows = list(filter(None, map(read_row, log.read_text().split('\n'))))
        begin = min((row['step'] for row in rows), default=float('inf'))
        scalars = [row for row in scalars if row['step'] < begin] + rows
    return scalars


def read_row(line: str) -> Optional[Dict[str, float]]:
    """Read a log entry; None if it is damaged, as the last one may be."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    valid = isinstance(row, dict) and isinstance(row.get('step'), (int, float))
    return row if valid else None


def read_curves(work_dir: Union[str, Path]) -> Dict[str, List[list]]:
    """Read the curves that a run logged.

    Args:
        work_dir (str or Path): Work dir of an MMEngine runner.

    Returns:
        dict[str, list[list]]: Pairs of step and value by the name of the
        scalar.
    """
    curves: Dict[str, List[list]] = {}
    for row in read_scalars(work_dir):
        for name, value in row.items():
            if name != 'step' and isinstance(value, (int, float)):
                curves.setdefault(name, []).append([row['step'], value])
    return curves


def plain_label(name: str) -> str:
    """Escape a legend entry: ``$`` starts math, a leading ``_`` hides it."""
    return re.sub('^_', ' _', printable(name)).replace('$', r'\$')


def curve_figure(curves: Dict[str, List[list]], title: str) -> Figure:
    """Draw curves over training steps in one chart.

    Args:
        curves (dict[str, list[list]]): Pairs of step and value by name.
        title (str): Title of the vertical axis.
    """
    figure = Figure(figsize=(6, 3.5), layout='constrained')
    axes = figure.subplots()
    for name, points in curves.items():
        # Mark the points if there are few.
        axes.plot(
            *zip(*points),
            '.-' if len(points) < 30 else '-',
            label=plain_label(name))
    axes.set_xlabel('step')
    axes.set_ylabel(title)
    axes.grid(alpha=0.3)
    if len(curves) > 1:
        axes.legend(fontsize=8)
    return figure
