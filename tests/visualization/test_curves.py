import json

import pytest

from mmregioncl.visualization import curve_figure, read_curves, read_scalars


def write_log(folder, *rows, cut=''):
    folder = folder / 'vis_data'
    folder.mkdir(parents=True)
    lines = ''.join(json.dumps(row) + '\n' for row in rows)
    (folder / 'scalars.json').write_text(lines + cut)


def test_a_resumed_run_is_one_run(tmp_path):
    write_log(tmp_path / '1', dict(step=1, loss=9), dict(step=90, loss=8))
    write_log(tmp_path / '2',
              *(dict(step=step, loss=step / 2) for step in (1, 2, 3, 4)))
    write_log(
        tmp_path / '3',
        dict(step=3, loss=7),
        dict(step=3, knn=0.5),
        cut='{"step": 4, "lo')  # a kill
    assert read_curves(tmp_path) == dict(
        loss=[[1, 0.5], [2, 1], [3, 7]], knn=[[3, 0.5]])
    assert len(read_scalars(tmp_path)) == 4


def test_missing_log_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match='use the work dir of a run'):
        read_curves(tmp_path)


def test_chart_has_a_line_for_each_run():
    figure = curve_figure(dict(a=[[1, 2], [3, 4]], b=[[1, 1]]), 'loss')
    axes, = figure.axes
    assert [line.get_label() for line in axes.lines] == ['a', 'b']
    assert axes.lines[0].get_xydata().tolist() == [[1, 2], [3, 4]]
    assert curve_figure(dict(a=[[1, 2]]), 'loss').axes[0].get_legend() is None


def test_names_that_are_no_text_are_drawn(tmp_path):
    """Folders of classes may have any name."""
    figure = curve_figure({'\udcff $a': [[1, 2]], '_b': [[1, 2]]}, 'loss')
    figure.savefig(tmp_path / 'chart.png')
    labels = [line.get_label() for line in figure.axes[0].lines]
    assert labels == [r'\udcff \$a', ' _b']
