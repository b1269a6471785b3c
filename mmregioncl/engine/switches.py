"""Detect performance options that do not help on this machine."""
import platform
from typing import Optional

import torch
from torch import nn


def amp_is_slow(device: str, dtype: torch.dtype) -> Optional[str]:
    """Return why mixed precision is slower than float32, None if unknown.

    Args:
        device (str): Type of the device, such as 'cpu'.
        dtype (torch.dtype): float16 or bfloat16.
    """
    if device == 'cpu' and platform.machine() in ('x86_64', 'AMD64'):
        if not (torch.cpu._is_avx512_bf16_supported()
                or torch.cpu._is_amx_tile_supported()):
            return 'this CPU has neither AMX nor AVX512-BF16'
    if device == 'cuda':
        least = (8, 0) if dtype == torch.bfloat16 else (7, 0)
        if torch.cuda.get_device_capability() < least:
            return (f'{torch.cuda.get_device_name()} has no tensor cores for '
                    f'{str(dtype).removeprefix("torch.")}')
    return None


def channels_last_gains_nothing(device: str,
                                model: nn.Module) -> Optional[str]:
    """Return why channels last has no benefit, None if it may have one.

    Args:
        device (str): Type of the device, such as 'cpu'.
        model (nn.Module): Any model.
    """
    if not any(isinstance(part, nn.Conv2d) for part in model.modules()):
        return f'{type(model).__name__} has no convolutions of images'
    if device == 'cpu' and not torch.backends.mkldnn.is_available():
        return 'this PyTorch has no oneDNN'
    if device == 'cuda' and torch.cuda.get_device_capability() < (7, 0):
        return f'{torch.cuda.get_device_name()} has no tensor cores'
    return None


def cannot_compile(device: str) -> Optional[str]:
    """Return what ``torch.compile`` needs and does not find, or None.

    Args:
        device (str): Type of the device, such as 'cpu'.
    """
    if device == 'cuda':
        from torch.utils._triton import has_triton
        return None if has_triton() else 'Triton for this GPU'
    # This import takes seconds, and compiling needs it anyway.
    from torch._inductor import cpp_builder
    try:
        cpp_builder.get_cpp_compiler()
    except RuntimeError:
        return 'a C++ compiler'
    return None
