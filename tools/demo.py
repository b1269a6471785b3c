"""Pre-train RegionCL-M on handwritten digits and show what it learned."""
import argparse
import time
from pathlib import Path

import torch
from mmengine.config import DictAction
from mmengine.runner import Runner, set_random_seed

from mmregioncl.datasets.digits import write_digits
from mmregioncl.engine.config import load_config
from mmregioncl.engine.storage import find_checkpoint
from mmregioncl.evaluation import extract_features, knn_accuracy
from mmregioncl.visualization import browse_views, loss_curve

CONFIG = (
    Path(__file__).parents[1] / 'configs' / 'regioncl' /
    'regioncl-m_resnet18-w16_1xb32-coslr-20e_digits.py')


def knn(runner: Runner) -> str:
    """Accuracy by k-NN of the backbone that a runner holds."""
    sets = [
        extract_features(runner.model.eval(), dataset, num_workers=0)
        for dataset in runner.cfg.eval_datasets.values()
    ]
    return f'{100 * knn_accuracy(*sets[0], *sets[1]):.1f} %'


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--out', type=Path, default=Path('demo'))
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE')
    args = parser.parse_args()
    out = args.out
    start = time.time()
    torch.set_num_threads(1)  # small maps: more threads only wait

    cfg = load_config(CONFIG, args.cfg_options)
    digits = write_digits(out / 'digits')
    cfg.train_dataloader.dataset.data_root = str(digits / 'train')
    for split, dataset in cfg.eval_datasets.items():
        dataset.data_root = str(digits / split)
    cfg.work_dir = str(out / 'run')

    runner = Runner.from_cfg(cfg)
    runner.model.init_weights()
    before = knn(runner)
    runner.train()
    after = knn(runner)

    set_random_seed(0)
    browse_views(cfg, out / 'composites.png')
    loss_curve(out / 'loss.png', cfg.work_dir)
    print(f"""
k-NN accuracy on the held-out third of the digits (k=20, T=0.1)
  untrained backbone     {before}
  after RegionCL-M       {after}
loss curve    {out / 'loss.png'}
composites    {out / 'composites.png'}
checkpoint    {find_checkpoint(cfg.work_dir)}
seconds       {time.time() - start:.0f}""")


if __name__ == '__main__':
    main()
