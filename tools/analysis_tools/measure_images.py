"""Measure depth, bands and values of images: ``measure_images.py CONFIG``."""
import argparse
import sys
from pathlib import Path

from mmengine.config import Config, DictAction


def parse_args(argv=None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Measure the training images of a config, and print the '
        'settings of LoadImage and of the data preprocessor that fit them')
    parser.add_argument('config', help='pre-training config')
    parser.add_argument(
        '--channels',
        type=int,
        help='3 for color, 1 for gray, or the number of bands (default: '
        'that of the config)')
    parser.add_argument(
        '--percentiles',
        type=float,
        nargs=2,
        default=(0.1, 99.9),
        metavar=('LOW', 'HIGH'),
        help='of the values that become 0 and 255 (default: 0.1 99.9)')
    parser.add_argument(
        '--count', type=int, default=500, help='images (default: 500)')
    parser.add_argument(
        '--out', help='config to write, which inherits from CONFIG')
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE')
    args = parser.parse_args(argv)
    low, high = args.percentiles
    if not 0 <= low < high <= 100:
        parser.error(f'--percentiles {low} {high} has to rise from 0 to 100')
    if args.count < 1:
        parser.error(f'--count {args.count} has to be at least 1')
    return args


def main() -> None:
    args = parse_args()
    # PyTorch takes seconds to import. --help does not need it.
    from mmengine.registry import DATASETS, init_default_scope

    from mmregioncl import host
    from mmregioncl.datasets import measure
    from mmregioncl.datasets.transforms import is_loading
    from mmregioncl.engine.config import check_data, load_config
    from mmregioncl.engine.messages import start_tool
    from mmregioncl.evaluation.data import loading_step
    from mmregioncl.evaluation.model import model_config
    from mmregioncl.files import atomic_write

    start_tool()
    cfg = load_config(args.config, args.cfg_options)
    check_data(cfg, 'train_dataloader')
    init_default_scope(host.scope_of(cfg))
    channels = args.channels or loading_step(cfg).get('channels', 3)
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    values, kinds = measure.measure_values(dataset, channels, args.count)
    for kind, number in kinds.items():
        print(f'# {number} images {kind}')
    if channels == 3 and (values == values[:, :1]).all():
        print('# they are gray, and are measured as 3 equal bands, which '
              'pre-trained weights take; --channels 1 measures one')
    rows = [*measure.finite_bands(values)]
    print('# values',
          ', '.join(f'{row.min():g} to {row.max():g}' for row in rows))
    for number, value, share in measure.find_fill(values, args.percentiles):
        print(f'# band {number} has the value {value:g} in {share:.2%} of its '
              'pixels, far from all others: if it marks pixels without data, '
              'set --percentiles that exclude it')
    ranges = measure.value_range(values, args.percentiles)
    mean, std = measure.mean_and_std(values, ranges)
    preprocessor = model_config(cfg).get('data_preprocessor', {})
    flip = 'to_rgb' if 'to_rgb' in preprocessor else 'bgr_to_rgb'
    to_rgb = channels == 3 and preprocessor.get(flip, False)
    if channels == 3 and not to_rgb:  # as loaded: BGR
        mean, std = mean[::-1], std[::-1]
    settings = {'mean': mean, 'std': std, flip: to_rgb}
    if channels not in (1, 3):  # which the host does not support
        settings['type'] = 'mmregioncl.SelfSupDataPreprocessor'
    text = config_text(args.config, channels, ranges, settings,
                       'data_preprocessor' in cfg)
    print(text, end='')
    if args.out:
        first = cfg.train_dataloader.dataset.get('pipeline') or [None]
        if not (first[0] and is_loading(first[0])):
            raise ValueError(
                f'{args.config} wraps its data set, or does not begin with '
                'loading: leave --out out, and set LoadImage by hand')
        if args.cfg_options:
            print('# --cfg-options are not a part of it')
        with atomic_write(Path(args.out)) as part:
            part.write_text(text)
        print(f'# written to {args.out}')
    if channels != 3:
        print('# next, write a config on this base that replaces ColorJitter '
              'and leaves RandomGrayscale out, as in docs/pretraining.md')
    if args.out:
        tool = Path(sys.argv[0]).with_name('browse_views.py')
        config = args.out if channels == 3 else 'CONFIG'
        print(f'# look at its views with\n# python {tool} {config} views.png')


def config_text(base: str, channels: int, ranges, preprocessor: dict,
                beside: bool) -> str:
    """Text of a config for the images, with the data preprocessor."""
    model = {} if beside else dict(data_preprocessor=preprocessor)
    if channels != 3:
        model['backbone'] = dict(in_channels=channels)
    parts = dict(data_preprocessor=preprocessor) if beside else {}
    if model:
        parts['model'] = model
    text = f"""_base_ = {str(Path(base).resolve())!r}

load, *others = _base_.train_dataloader.dataset.pipeline
load.update(
    type='mmregioncl.LoadImage',
    channels={channels},
    value_range={ranges})
train_pipeline = [load, *others]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
"""
    return text + Config(parts).pretty_text.rstrip('\n') + '\n'


if __name__ == '__main__':
    main()
