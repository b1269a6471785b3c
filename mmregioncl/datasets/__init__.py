from .cifar import CIFAR10
from .image_folder import ImageFolder
from .transforms import *  # noqa: F401,F403

__all__ = ['CIFAR10', 'ImageFolder']
