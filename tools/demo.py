"""Pre-train RegionCL-M on handwritten digits and show what it learned."""
import argparse
import shutil
import time
from pathlib import Path

from arguments import add_cfg_options

CONFIG = (
    Path(__file__).parents[1] / 'configs' / 'regioncl' /
    'regioncl-m_resnet18-w16_1xb32-coslr-20e_digits.py')
NUMBER = 'top-1, k=20, T=0.1'


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--out', type=Path, default=Path('demo'))
    add_cfg_options(parser)
    args = parser.parse_args()
    out = args.out
    start = time.time()
    # PyTorch takes seconds to import. --help does not need it.
    from mmregioncl.datasets.digits import write_digits
    from mmregioncl.engine.config import load_config
    from mmregioncl.engine.malloc import keep_freed_memory
    from mmregioncl.engine.messages import start_tool
    from mmregioncl.engine.messages.quiet import QuietRunner
    from mmregioncl.engine.storage import find_checkpoint
    from mmregioncl.evaluation.protocols import FEATURE_PROTOCOLS
    from mmregioncl.evaluation.run import EvaluationRun
    from mmregioncl.hooks import RunSummaryHook
    from mmregioncl.hooks.timed_checkpoint_hook import is_timed
    from mmregioncl.visualization import draw_run, write_report

    start_tool()
    keep_freed_memory()
    cfg = load_config(CONFIG, args.cfg_options)
    digits = write_digits(out / 'digits')
    cfg.train_dataloader.dataset.data_root = str(digits / 'train')
    for split, dataset in cfg.eval_datasets.items():
        dataset.data_root = str(digits / split)
    cfg.work_dir = str(out / 'run')
    # The same run in less time on a CPU
    cfg.default_hooks.channels_last = dict(type='mmregioncl.ChannelsLastHook')
    last = find_checkpoint(cfg.work_dir)
    if last and is_timed(last):  # of a demo that was stopped
        cfg.update(resume=True, load_from=last)

    runner = QuietRunner.from_cfg(cfg)
    runner.register_hook(RunSummaryHook())
    runner.train()
    checkpoint = str(out / 'run' / Path(find_checkpoint(cfg.work_dir)).name)

    accuracy = {}
    for name, weights in {'RegionCL-M': checkpoint, 'untrained': None}.items():
        shutil.rmtree(out / name, ignore_errors=True)  # of an earlier demo
        run = EvaluationRun(cfg, weights, out / name, workers=0)
        for protocol in ('knn', 'linear'):
            run.add(protocol, FEATURE_PROTOCOLS[protocol])
        accuracy[name] = run.results['protocols']['knn']['numbers'][NUMBER]
        draw_run(run)
    report = out / 'report.html'
    write_report(report, [out / name for name in accuracy])
    print(f"""
k-NN accuracy on the held-out third of the digits ({NUMBER})
  untrained backbone     {accuracy['untrained']:.1%}
  after RegionCL-M       {accuracy['RegionCL-M']:.1%}
report        {report}
checkpoint    {checkpoint}
seconds       {time.time() - start:.0f}""")


if __name__ == '__main__':
    main()
