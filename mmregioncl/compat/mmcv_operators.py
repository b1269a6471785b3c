"""MMDetection cannot be imported without mmcv's compiled operators.

mmcv 2.0.1 has wheels with ``mmcv._ext`` only for torch <= 2.1. Where it is
missing, the operators below compute the same with torchvision, by the compiled
operators' rules where torchvision has others: for ties, borders, and offsets
and boxes that are not finite. All others raise a NotImplementedError when they
are called. ``tools/build_mmcv.sh`` compiles the full mmcv.
"""
import math
import sys
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Callable, Dict, NoReturn, Optional, Sequence, Tuple

import torch
from torch import Tensor

NAME = 'mmcv._ext'

# Outside of every feature map, and a number of float16
FAR = -30000.
# Smallest logarithm of a probability in the focal loss
LOWEST = math.log(torch.finfo(torch.float32).tiny)


def patch() -> None:
    if NAME in sys.modules or find_spec(NAME) is not None:
        return
    if find_spec('torchvision') is not None:
        sys.modules[NAME] = stand_in()


def operators() -> object:
    """Return torchvision's operators, imported when the first is called."""
    import torchvision  # noqa: F401, registers the operators
    return torch.ops.torchvision


def stand_in() -> ModuleType:
    """Create a module with a function for every name that mmcv imports."""
    module = ModuleType(NAME, __doc__)
    module.__spec__ = ModuleSpec(NAME, loader=None)
    for operator in OPERATORS:
        setattr(module, operator.__name__, operator)
    module.__getattr__ = missing
    return module


def missing(name: str) -> Callable[..., NoReturn]:
    """Return a function that raises, for an operator torchvision lacks.

    Args:
        name (str): Name of the operator.
    """
    if name.startswith('__'):
        raise AttributeError(name)

    def operator(*args, **kwargs) -> NoReturn:
        raise NotImplementedError(
            f'{name} is an operator of the full mmcv, which is not installed: '
            'compile it with tools/build_mmcv.sh')

    return operator


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float,
        offset: int) -> Tensor:
    """Non-maximum suppression.

    Args:
        boxes (Tensor): Left, top, right and bottom, shape (N, 4).
        scores (Tensor): Scores, shape (N,).
        iou_threshold (float): A box is dropped if its IoU with a better one
            is larger, by a threshold that is rounded to float32.
        offset (int): The width of a box is right - left + offset. 0 or 1.

    Returns:
        Tensor: Indices of the boxes to keep, shape (M,), best first.
    """
    boxes = boxes + boxes.new_tensor([0, 0, offset, offset])
    # An IoU of 0.3 is larger than 0.3, but not than the float32 next to it.
    threshold = torch.tensor(iou_threshold, dtype=torch.float32).item()
    return operators().nms(boxes, scores, threshold)


def roi_align_forward(input: Tensor, rois: Tensor, output: Tensor,
                      argmax_y: Tensor, argmax_x: Tensor, aligned_height: int,
                      aligned_width: int, spatial_scale: float,
                      sampling_ratio: int, pool_mode: int,
                      aligned: bool) -> None:
    """Fill `output` (K, C, aligned_height, aligned_width).

    Raises:
        ValueError: If a box on a CPU is not finite or, where boxes are
            `aligned`, of negative size.
    """
    check_average(pool_mode)
    check_boxes(rois, aligned)
    output.copy_(operators().roi_align(input, rois, spatial_scale,
                                       aligned_height, aligned_width,
                                       sampling_ratio, aligned))


def roi_align_backward(grad_output: Tensor, rois: Tensor, argmax_y: Tensor,
                       argmax_x: Tensor, grad_input: Tensor,
                       aligned_height: int, aligned_width: int,
                       spatial_scale: float, sampling_ratio: int,
                       pool_mode: int, aligned: bool) -> None:
    """Fill `grad_input` (N, C, H, W)."""
    check_average(pool_mode)
    grad_output = supported(grad_output)
    grad_input.copy_(operators()._roi_align_backward(
        grad_output, rois.to(grad_output), spatial_scale, aligned_height,
        aligned_width, *grad_input.shape, sampling_ratio, aligned))


def supported(tensor: Tensor) -> Tensor:
    """Return float32 for bfloat16, for which torchvision has no kernels."""
    return tensor.float() if tensor.dtype == torch.bfloat16 else tensor


def check_boxes(rois: Tensor, aligned: bool) -> None:
    """Refuse boxes on which torchvision crashes.

    Not on a GPU, which would have to wait, and where they do no harm.

    Args:
        rois (Tensor): Index of the image, left, top, right and bottom, shape
            (K, 5).
        aligned (bool): Whether the size of a box may not be negative.

    Raises:
        ValueError: If there is such a box.
    """
    if rois.is_cpu:
        right = rois.isfinite().all(1)
        if aligned:
            right &= (rois[:, 3:] >= rois[:, 1:3]).all(1)
        if not right.all():
            raise ValueError(
                'roi_align got a box that is not finite or has a negative '
                f'size, {rois[~right][0, 1:].tolist()}: check the annotations,'
                ' and lower optim_wrapper.optimizer.lr if the loss grows')


def check_average(pool_mode: int) -> None:
    """Refuse max pooling (0), which torchvision does not have."""
    if pool_mode != 1:
        missing('roi_align with pool_mode="max"')()


def sigmoid_focal_loss_forward(input: Tensor, target: Tensor, weight: Tensor,
                               output: Tensor, gamma: float,
                               alpha: float) -> None:
    """Fill `output` (N, C) with the focal loss of each class.

    Args:
        input (Tensor): Logits, shape (N, C).
        target (Tensor): Classes, shape (N,). C is the background.
        weight (Tensor): Weights of the target classes, shape (C,), or empty.
        output (Tensor): Losses, shape (N, C).
        gamma (float): Exponent.
        alpha (float): Weight of positives. That of negatives is 1 - alpha.
    """
    _, logits, scale = focal_terms(input, target, weight, alpha)
    output.copy_(-scale * (-logits).sigmoid()**gamma * log_sigmoid(logits))


def sigmoid_focal_loss_backward(input: Tensor, target: Tensor, weight: Tensor,
                                grad_input: Tensor, gamma: float,
                                alpha: float) -> None:
    """Fill `grad_input` (N, C) with the derivative of each loss.

    It does not divide by probabilities, so that they may round to 0 or 1.
    """
    sign, logits, scale = focal_terms(input, target, weight, alpha)
    right, wrong = logits.sigmoid(), (-logits).sigmoid()
    slope = wrong - gamma * right * log_sigmoid(logits)
    grad_input.copy_(-sign * scale * wrong**gamma * slope)


def focal_terms(input: Tensor, target: Tensor, weight: Tensor,
                alpha: float) -> Tuple[Tensor, Tensor, Tensor]:
    """Return what the focal loss and its derivative share.

    Returns:
        tuple: Three tensors of shape (N, C): 1 for the class of the target
        and -1 for others, the logits of the right answers, and the weights.
    """
    classes = torch.arange(input.size(1), device=input.device)
    sign = (target[:, None] == classes).to(input) * 2 - 1
    scale = alpha + (1 - 2 * alpha) * (sign < 0)
    if weight.numel():
        # Background rows have weight 1.
        rows = torch.cat((weight, weight.new_ones(1)))[target]  # (N,)
        scale = scale * rows[:, None]
    return sign, sign * input, scale


def log_sigmoid(logits: Tensor) -> Tensor:
    return torch.nn.functional.logsigmoid(logits).clamp(min=LOWEST)


def deform_conv_forward(input: Tensor, weight: Tensor, offset: Tensor,
                        output: Tensor, columns: Tensor, ones: Tensor,
                        **layout) -> None:
    """Fill `output` (N, D, H', W') with a deformable convolution."""
    output.copy_(
        operators().deform_conv2d(*arguments(input, weight, offset, layout)))


def deform_conv_backward_input(input: Tensor, offset: Tensor,
                               gradOutput: Tensor, gradInput: Tensor,
                               gradOffset: Tensor, weight: Tensor,
                               columns: Tensor, **layout) -> None:
    """Fill `gradInput` and `gradOffset`."""
    grads = operators()._deform_conv2d_backward(
        supported(gradOutput), *arguments(input, weight, offset, layout))
    gradInput.copy_(grads[0])
    gradOffset.copy_(grads[2])


def deform_conv_backward_parameters(input: Tensor, offset: Tensor,
                                    gradOutput: Tensor, gradWeight: Tensor,
                                    columns: Tensor, ones: Tensor,
                                    scale: float, **layout) -> None:
    """Add to `gradWeight`."""
    # The gradient does not depend on the weight, only on its shape.
    grads = operators()._deform_conv2d_backward(
        supported(gradOutput), *arguments(input, gradWeight, offset, layout))
    gradWeight.add_(grads[1], alpha=scale)


def modulated_deform_conv_forward(input: Tensor, weight: Tensor, bias: Tensor,
                                  ones: Tensor, offset: Tensor, mask: Tensor,
                                  output: Tensor, columns: Tensor,
                                  with_bias: bool, **layout) -> None:
    """Fill `output` (N, D, H', W')."""
    output.copy_(operators().deform_conv2d(
        *arguments(input, weight, offset, layout, mask, bias)))


def modulated_deform_conv_backward(input: Tensor, weight: Tensor, bias: Tensor,
                                   ones: Tensor, offset: Tensor, mask: Tensor,
                                   columns: Tensor, grad_input: Tensor,
                                   grad_weight: Tensor, grad_bias: Tensor,
                                   grad_offset: Tensor, grad_mask: Tensor,
                                   grad_output: Tensor, with_bias: bool,
                                   **layout) -> None:
    """Fill the gradients, five with a bias and four without."""
    grads = operators()._deform_conv2d_backward(
        supported(grad_output),
        *arguments(input, weight, offset, layout, mask, bias))
    targets = (grad_input, grad_weight, grad_offset, grad_mask, grad_bias)
    for target, grad in zip(targets if with_bias else targets[:-1], grads):
        target.copy_(grad)


def arguments(input: Tensor,
              weight: Tensor,
              offset: Tensor,
              layout: Dict[str, int],
              mask: Optional[Tensor] = None,
              bias: Optional[Tensor] = None) -> tuple:
    """Return the arguments of torchvision's deformable convolution.

    Args:
        input (Tensor): Feature maps, shape (N, C, H, W).
        weight (Tensor): Shape (D, C / group, kernel height, kernel width).
        offset (Tensor): y and x for each group and tap, in cells. Shape (N, G
            * taps * 2, H', W').
        layout (dict[str, int]): Settings by one of the two sets of names that
            mmcv uses. Others, such as the kernel size, are ignored.
        mask (Tensor, optional): Weights of the taps, shape (N, G * taps, H',
            W'). Defaults to None, for 1.
        bias (Tensor, optional): Shape (D,), or empty. Defaults to None.
    """
    names = ('dH', 'dW', 'padH', 'padW', 'dilationH', 'dilationW')
    if 'stride_h' in layout:
        names = ('stride_h', 'stride_w', 'pad_h', 'pad_w', 'dilation_h',
                 'dilation_w')
    places = [layout[name] for name in names]
    offset = leave_out(
        supported(offset), input.shape[2:], weight.shape[2:], places)
    modulated = mask is not None
    if mask is None:
        mask = input.new_zeros(input.size(0), 0)
    if bias is None or not bias.numel():
        bias = input.new_zeros(weight.size(0))
    return (supported(input), supported(weight), offset, supported(mask),
            supported(bias), *places, layout['group'],
            layout['deformable_group'], modulated)


def leave_out(offset: Tensor, size: Sequence[int], kernel: Sequence[int],
              places: Sequence[int]) -> Tensor:
    """Move samples outside of the feature map far away.

    They are at -1 or below, or at the height or width or beyond. mmcv gives
    such a sample neither a value nor a gradient. torchvision gives one at -1 a
    gradient. Both crash on NaN, which is taken for outside.

    Args:
        offset (Tensor): Shape (N, G * taps * 2, H', W').
        size (sequence[int]): Height and width of the feature map.
        kernel (sequence[int]): Height and width of the kernel.
        places (sequence[int]): Stride, padding and dilation, each vertical
            and horizontal.

    Returns:
        Tensor: Offsets, shape (N, G * taps * 2, H', W').
    """
    # (N, G, kernel height, kernel width, 2, H', W')
    split = offset.unflatten(1, (-1, *kernel, 2))
    inside = torch.ones_like(split[:, :, :, :, 0], dtype=torch.bool)
    for axis in (0, 1):
        stride, padding, dilation = places[axis::2]
        cells, taps = (
            torch.arange(count, device=offset.device)
            for count in (offset.size(2 + axis), kernel[axis]))
        start = (taps * dilation)[:, None] + cells * stride - padding
        # (kernel height, 1, H', 1) or (kernel width, 1, W')
        start = start[:, None, :, None] if axis == 0 else start[:, None]
        at = split[:, :, :, :, axis] + start
        inside &= (at > -1) & (at < size[axis])
    return torch.where(inside.unsqueeze(4), split, FAR).flatten(1, 4)


OPERATORS = (nms, roi_align_forward, roi_align_backward,
             sigmoid_focal_loss_forward, sigmoid_focal_loss_backward,
             deform_conv_forward, deform_conv_backward_input,
             deform_conv_backward_parameters, modulated_deform_conv_forward,
             modulated_deform_conv_backward)
