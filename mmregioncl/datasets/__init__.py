from .cifar import CIFAR10, CIFAR100
from .class_folders import ImageNetSubset, TinyImageNet
from .image_folder import ImageFolder
from .seeded_sampler import (Seeded, SeededBatchSampler, SeededInfiniteSampler,
                             SeededSampler)
from .stl10 import STL10

__all__ = [
    'CIFAR10', 'CIFAR100', 'ImageFolder', 'ImageNetSubset', 'STL10', 'Seeded',
    'SeededBatchSampler', 'SeededInfiniteSampler', 'SeededSampler',
    'TinyImageNet'
]
