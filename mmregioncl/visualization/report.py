"""HTML report on the evaluation of one or more runs."""
import json
from base64 import b64encode
from io import BytesIO
from pathlib import Path
from typing import Callable, Dict, List, NamedTuple, Sequence, Union

from jinja2 import Environment, PackageLoader
from matplotlib.figure import Figure
from mmengine.runner import set_random_seed

from mmregioncl.evaluation.results import read_results
from mmregioncl.evaluation.run import (PICTURE_SPLITS, EvaluationRun,
                                       report_failure)
from mmregioncl.files import atomic_write, locked, write_json
from .browse import browse_views
from .curves import curve_figure, read_curves
from .features import draw_features, draw_neighbours

# Logged scalars that are drawn, one chart each, with their titles
CHARTS = {
    'loss': 'Loss, the sum of all terms',
    'loss_instance': 'Loss of whole views',
    'loss_region': 'Loss of canvas and paste',
    'knn/k20_T0.1': 'k-NN accuracy, k=20, T=0.1',
    'linear/accuracy': 'Accuracy of the online linear probe',
    'health/view/std': 'Spread of whole views: 1 healthy, 0 collapsed',
    'health/canvas/std': 'Spread of canvases',
    'health/paste/std': 'Spread of pastes',
    'health/features/rankme': 'RankMe of the features',
    'health/view/rankme': 'RankMe of whole views',
    'health/view/alignment': 'Alignment of the two views: 0 equal, 4 opposite',
    'health/view/uniformity':
    'Uniformity of whole views: -4 spread, 0 collapsed',
}
PICTURES = {
    'composites.png':
    'Training images: two views and the composite, with the swapped region '
    'outlined',
    'features.png':
    'Test features by t-SNE, colored by class',
    'neighbours.png':
    'Random test images and their nearest neighbors in the train set',
}


class EvaluatedRun(NamedTuple):
    """Content of the folder of an :class:`EvaluationRun`."""
    name: str
    results: dict
    curves: Dict[str, List[list]]
    folder: Path


def draw_run(run: EvaluationRun) -> None:
    """Draw the pictures of a run and save the curves of its log.

    Those of evaluated images are kept if they are there. A picture that cannot
    be drawn is skipped with a warning.

    Args:
        run (EvaluationRun): The run.
    """
    drawings: Dict[str, Callable[[Path], None]] = {
        'composites.png': lambda path: browse_views(run.cfg, str(path), 6),
        'features.png': lambda path: draw_features(run, path),
        'neighbours.png': lambda path: draw_neighbours(run, path),
    }
    if run.checkpoint is None:  # it was not trained
        del drawings['composites.png']
    for name, draw in drawings.items():
        path = run.out / name
        try:
            splits = PICTURE_SPLITS[name]
            for split in splits:
                run.saved_features(split)  # removes pictures of others
            if not splits or not path.exists():
                set_random_seed(run.seed)
                draw(path)
        except Exception as error:  # the report is useful without it
            report_failure(f'{name} was not drawn', error)
    if run.checkpoint is not None:
        try:
            curves = read_curves(Path(run.checkpoint).parent)
        except FileNotFoundError:
            return  # the checkpoint was moved
        kept = {name: curves[name] for name in CHARTS if name in curves}
        with locked(run.out):
            write_json(run.out / 'curves.json', kept)


def write_report(path: Union[str, Path],
                 folders: Sequence[Union[str, Path]]) -> None:
    """Write a report as one HTML file that contains all its pictures.

    Args:
        path (str or Path): HTML file to write.
        folders (Sequence[str or Path]): Folders of :class:`EvaluationRun`, one
            column each.

    Raises:
        FileNotFoundError: If a folder has no results.
        ValueError: If a file in a folder is damaged.
    """
    template = Environment(
        loader=PackageLoader('mmregioncl', 'visualization'),
        autoescape=True).get_template('report.html')
    # A process that has read fewer results must not write last.
    with locked(Path(path).parent):
        runs = read_runs([Path(folder) for folder in folders])
        page = template.render(
            runs=runs,
            rows=number_rows(runs),
            charts=draw_charts(runs),
            pictures=read_pictures(runs))
        with atomic_write(path) as part:
            part.write_text(page, 'utf-8')


def read_runs(folders: Sequence[Path]) -> List[EvaluatedRun]:
    """Read results and curves of folders.

    Runs are named after their configs, or after their folders if two have the
    same config.
    """
    runs = []
    for folder in folders:
        path = folder / 'results.json'
        if not path.exists():
            raise FileNotFoundError(
                f'{folder} has no results.json: evaluate a checkpoint with '
                f'--out {folder} first')
        results = read_results(path)
        curves = {}
        if (folder / 'curves.json').exists():
            try:
                curves = json.loads((folder / 'curves.json').read_text())
            except ValueError as error:
                raise ValueError(f'{folder}/curves.json is damaged: remove it,'
                                 ' and evaluate again') from error
        runs.append(
            EvaluatedRun(results['run']['name'], results, curves, folder))
    if len({run.name for run in runs}) < len(runs):
        names = distinct([run.folder.resolve() for run in runs])
        runs = [run._replace(name=name) for run, name in zip(runs, names)]
    return runs


def distinct(folders: Sequence[Path]) -> List[str]:
    """Shortest ends of paths that differ from each other."""
    for depth in range(1, max(len(folder.parts) for folder in folders)):
        names = ['/'.join(folder.parts[-depth:]) for folder in folders]
        if len(set(names)) == len(names):
            break
    return names


def number_rows(runs: Sequence[EvaluatedRun]) -> List[dict]:
    """Rows of the table of numbers, with a cell for each run.

    Numbers of runs share a row if protocol and images are the same.
    """

    def row_of(protocol: str, what='', how='', data=None) -> dict:
        """The row of a number, or of a protocol without any."""
        return rows.setdefault((protocol, how, str(data), what),
                               dict(
                                   protocol=protocol,
                                   what=what,
                                   how=how,
                                   data=data or {},
                                   cells=[{} for _ in runs]))

    rows: Dict[tuple, dict] = {}
    for column, run in enumerate(runs):
        for protocol, result in run.results['protocols'].items():
            failed = result.get('failed')  # since, shown once
            for what, number in result['numbers'].items():
                row = row_of(protocol, what, result['how'], result['data'])
                row['cells'][column] = dict(
                    number=number,
                    spread=result.get('spread', {}).get(what),
                    failed=failed)
                failed = None
    errors_of = {
        protocol: [
            run.results['protocols'].get(protocol, {}).get('error')
            for run in runs
        ]
        for run in runs
        for protocol in run.results['protocols']
    }
    for protocol, errors in errors_of.items():
        mine = [row for row in rows.values() if row['protocol'] == protocol]
        first = mine[0] if mine else row_of(protocol)
        for cell, error in zip(first['cells'], errors):
            cell['error'] = error
    for row in rows.values():
        known = [c['number'] for c in row['cells'] if 'number' in c]
        row['best'] = max(known) if len(known) > 1 else None
    order = list(errors_of)
    return sorted(rows.values(), key=lambda row: order.index(row['protocol']))


def draw_charts(runs: Sequence[EvaluatedRun]) -> List[dict]:
    """Draw a chart for each logged scalar, with a curve for each run."""
    charts = []
    for name, title in CHARTS.items():
        curves = {
            run.name: run.curves[name]
            for run in runs if run.curves.get(name)
        }
        if curves:
            charts.append(
                dict(title=title, image=svg(curve_figure(curves, name))))
    return charts


def read_pictures(runs: Sequence[EvaluatedRun]) -> List[dict]:
    """Read the pictures of all runs, grouped by kind."""
    kinds = []
    for name, title in PICTURES.items():
        images = [
            dict(
                run=run.name,
                image=data_url((run.folder / name).read_bytes(), 'png'))
            for run in runs if (run.folder / name).exists()
        ]
        if images:
            kinds.append(dict(title=title, images=images))
    return kinds


def svg(figure: Figure) -> str:
    """Data URL of a figure as SVG."""
    stream = BytesIO()
    figure.savefig(stream, format='svg', metadata=dict(Date=None))
    return data_url(stream.getvalue(), 'svg+xml')


def data_url(content: bytes, kind: str) -> str:
    return f'data:image/{kind};base64,{b64encode(content).decode()}'
