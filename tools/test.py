"""Evaluate a model: ``python tools/test.py CONFIG CHECKPOINT``."""
import argparse
import sys
from pathlib import Path

from arguments import parse_run


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Evaluate a fine-tuned model on the test set')
    parser.add_argument('config', help='config it was fine-tuned with')
    parser.add_argument('checkpoint')
    parser.add_argument(
        '--work-dir',
        help='folder for the log (default: test next to the checkpoint)')
    return parse_run(parser)


def main() -> None:
    args = parse_args()
    # PyTorch takes seconds to import. --help does not need it.
    from mmregioncl.engine.config import (check_backends, check_data,
                                          load_config)
    from mmregioncl.engine.messages import start_tool
    from mmregioncl.engine.messages.quiet import QuietRunner

    start_tool()
    cfg = load_config(args.config, args.cfg_options)
    check_backends(cfg)
    if not cfg.get('test_dataloader'):
        sys.exit(f'{args.config} has no test_dataloader: use the config of a '
                 'model that was fine-tuned, or evaluate a pre-trained '
                 'backbone with tools/evaluate.py')
    check_data(cfg, 'test_dataloader')
    cfg.launcher = args.launcher
    cfg.load_from = args.checkpoint
    cfg.work_dir = args.work_dir or str(Path(args.checkpoint).parent / 'test')
    runner = QuietRunner.from_cfg(cfg)
    runner.test()


if __name__ == '__main__':
    main()
