"""Write an annotation file for a subset of the classes of ImageNet-1k.

For data sets such as ``mmcls.ImageNet``. ``mmregioncl.ImageNetSubset`` needs
no annotation file.
"""
import argparse
import os


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Write a "path label" line for each image of a subset of '
        'the classes of ImageNet-1k, labeled in the order of their ids')
    parser.add_argument(
        'root', help='folder with one folder per class, such as train')
    parser.add_argument(
        'classes', help='imagenet100, imagenet200, or a file of class ids')
    parser.add_argument('out', help='text file to write')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    # PyTorch takes seconds to import. --help does not need it.
    from mmregioncl.datasets import ImageNetSubset
    from mmregioncl.engine.messages.failures import hide_tracebacks
    from mmregioncl.files import atomic_write

    hide_tracebacks()
    images = ImageNetSubset(args.root, args.classes, serialize_data=False)
    lines = [
        f'{os.path.relpath(image["img_path"], images.data_root)} '
        f'{image["gt_label"]}\n'
        for image in map(images.get_data_info, range(len(images)))
    ]
    with atomic_write(args.out) as part:
        part.write_text(''.join(lines))
    print(f'{args.out}: {len(lines)} images of '
          f'{len(images.metainfo["classes"])} classes')


if __name__ == '__main__':
    main()
