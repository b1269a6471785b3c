"""Write the annotation file of some classes of ImageNet-1k.

For ``mmcls.ImageNet`` and the like; mmregioncl.ImageNetSubset needs none.
"""
import argparse
import os

from mmregioncl.datasets import ImageNetSubset
from mmregioncl.files import whole_file


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Write "path label" lines for the images of some classes '
        'of ImageNet-1k; labels count the sorted class ids')
    parser.add_argument('root', help='folder of class folders, such as train')
    parser.add_argument(
        'classes', help='imagenet100, imagenet200, or a file of class ids')
    parser.add_argument('out', help='text file to write')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    images = ImageNetSubset(args.root, args.classes, serialize_data=False)
    lines = [
        f'{os.path.relpath(image["img_path"], images.data_root)} '
        f'{image["gt_label"]}\n'
        for image in map(images.get_data_info, range(len(images)))
    ]
    with whole_file(args.out) as part:
        part.write_text(''.join(lines))
    print(f'{args.out}: {len(lines)} images of '
          f'{len(images.metainfo["classes"])} classes')


if __name__ == '__main__':
    main()
