import json
from pathlib import Path
from typing import Dict, List, Union

from matplotlib.figure import Figure

from .sheets import save


def read_scalars(work_dir: Union[str, Path]) -> List[Dict[str, float]]:
    """Read what the last run in a work dir logged, a dict for each time.

    Args:
        work_dir (str or Path): Work dir of an MMEngine runner.
    """
    logs = sorted(Path(work_dir).glob('*/vis_data/scalars.json'))
    if not logs:
        raise FileNotFoundError(f'{work_dir} has no */vis_data/scalars.json: '
                                'give the work dir of a run')
    lines = logs[-1].read_text().split('\n')
    return [json.loads(line) for line in lines[:-1]]  # a kill cuts the last


def loss_curve(path: Union[str, Path], work_dir: Union[str, Path]) -> None:
    """Draw every loss of the last run in a work dir over its steps.

    Args:
        path (str or Path): PNG file to write.
        work_dir (str or Path): Work dir of an MMEngine runner.
    """
    scalars = [row for row in read_scalars(work_dir) if 'loss' in row]
    names = sorted(
        {name
         for row in scalars
         for name in row if name.startswith('loss')})
    if not names:
        raise ValueError(f'{work_dir} has logged no loss yet')
    figure = Figure(figsize=(6, 3.5), layout='constrained')
    axes = figure.subplots()
    for name in names:
        rows = [row for row in scalars if name in row]
        axes.plot([row['step'] for row in rows], [row[name] for row in rows],
                  label=name)
    axes.set_xlabel('step')
    axes.set_ylabel('loss')
    axes.grid(alpha=0.3)
    axes.legend()
    save(figure, path)
