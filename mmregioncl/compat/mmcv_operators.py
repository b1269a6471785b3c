"""MMDetection cannot be imported without mmcv's compiled operators.

mmcv 2.0.1 has wheels with ``mmcv._ext`` for torch <= 2.1 only. Where it is
missing, the operators below compute the same with torchvision. All others
raise a NotImplementedError when they are called. ``tools/build_mmcv.sh``
compiles the full mmcv.
"""
import sys
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Callable, Dict, List, NoReturn, Tuple

import torch
from torch import Tensor

NAME = 'mmcv._ext'


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
            is larger.
        offset (int): The width of a box is right - left + offset. 0 or 1.

    Returns:
        Tensor: Indices of the boxes to keep, shape (M,), best first.
    """
    boxes = boxes + boxes.new_tensor([0, 0, offset, offset])
    return operators().nms(boxes, scores, iou_threshold)


def roi_align_forward(input: Tensor, rois: Tensor, output: Tensor,
                      argmax_y: Tensor, argmax_x: Tensor, aligned_height: int,
                      aligned_width: int, spatial_scale: float,
                      sampling_ratio: int, pool_mode: int,
                      aligned: bool) -> None:
    """Fill `output` (K, C, aligned_height, aligned_width)."""
    check_average(pool_mode)
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
    if grad_output.dtype == torch.bfloat16:  # torchvision has no kernel
        grad_output, rois = grad_output.float(), rois.float()
    grad_input.copy_(operators()._roi_align_backward(
        grad_output, rois, spatial_scale, aligned_height, aligned_width,
        *grad_input.shape, sampling_ratio, aligned))


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
    output.copy_(focal_loss(input, target, weight, gamma, alpha))


def sigmoid_focal_loss_backward(input: Tensor, target: Tensor, weight: Tensor,
                                grad_input: Tensor, gamma: float,
                                alpha: float) -> None:
    """Fill `grad_input` (N, C) with the derivative of each loss."""
    with torch.enable_grad():
        logits = input.detach().requires_grad_()
        loss = focal_loss(logits, target, weight, gamma, alpha).sum()
    grad_input.copy_(torch.autograd.grad(loss, logits)[0])


def focal_loss(logits: Tensor, target: Tensor, weight: Tensor, gamma: float,
               alpha: float) -> Tensor:
    """Return the loss of each class, shape (N, C)."""
    from torchvision.ops import sigmoid_focal_loss
    count = logits.size(1)
    hot = torch.nn.functional.one_hot(target, count + 1)[:, :count]
    loss = sigmoid_focal_loss(logits, hot.to(logits), alpha, gamma)
    if weight.numel():
        # Background rows have weight 1.
        rows = torch.cat((weight, weight.new_ones(1)))[target]  # (N,)
        loss = loss * rows[:, None]
    return loss


def deform_conv_forward(input: Tensor, weight: Tensor, offset: Tensor,
                        output: Tensor, columns: Tensor, ones: Tensor,
                        **layout) -> None:
    """Fill `output` (N, D, H', W') with a deformable convolution."""
    output.copy_(operators().deform_conv2d(input, weight, offset,
                                           *unmodulated(input, weight),
                                           *in_order(layout), False))


def deform_conv_backward_input(input: Tensor, offset: Tensor,
                               gradOutput: Tensor, gradInput: Tensor,
                               gradOffset: Tensor, weight: Tensor,
                               columns: Tensor, **layout) -> None:
    """Fill `gradInput` and `gradOffset`."""
    grads = operators()._deform_conv2d_backward(gradOutput, input, weight,
                                                offset,
                                                *unmodulated(input, weight),
                                                *in_order(layout), False)
    gradInput.copy_(grads[0])
    gradOffset.copy_(grads[2])


def deform_conv_backward_parameters(input: Tensor, offset: Tensor,
                                    gradOutput: Tensor, gradWeight: Tensor,
                                    columns: Tensor, ones: Tensor,
                                    scale: float, **layout) -> None:
    """Add to `gradWeight`."""
    # The gradient does not depend on the weight, only on its shape.
    grads = operators()._deform_conv2d_backward(
        gradOutput, input, gradWeight, offset, *unmodulated(input, gradWeight),
        *in_order(layout), False)
    gradWeight.add_(grads[1], alpha=scale)


def modulated_deform_conv_forward(input: Tensor, weight: Tensor, bias: Tensor,
                                  ones: Tensor, offset: Tensor, mask: Tensor,
                                  output: Tensor, columns: Tensor,
                                  with_bias: bool, **layout) -> None:
    """Fill `output` (N, D, H', W')."""
    if not with_bias:
        bias = unmodulated(input, weight)[1]
    output.copy_(operators().deform_conv2d(input, weight, offset, mask, bias,
                                           *in_order(layout), True))


def modulated_deform_conv_backward(input: Tensor, weight: Tensor, bias: Tensor,
                                   ones: Tensor, offset: Tensor, mask: Tensor,
                                   columns: Tensor, grad_input: Tensor,
                                   grad_weight: Tensor, grad_bias: Tensor,
                                   grad_offset: Tensor, grad_mask: Tensor,
                                   grad_output: Tensor, with_bias: bool,
                                   **layout) -> None:
    """Fill the gradients, five with a bias and four without."""
    if not with_bias:
        bias = unmodulated(input, weight)[1]
    grads = operators()._deform_conv2d_backward(grad_output, input, weight,
                                                offset, mask, bias,
                                                *in_order(layout), True)
    targets = (grad_input, grad_weight, grad_offset, grad_mask, grad_bias)
    for target, grad in zip(targets if with_bias else targets[:-1], grads):
        target.copy_(grad)


def unmodulated(input: Tensor, weight: Tensor) -> Tuple[Tensor, Tensor]:
    """Return an empty mask and a bias of zeros."""
    return input.new_zeros(input.size(0), 0), input.new_zeros(weight.size(0))


def in_order(layout: Dict[str, int]) -> List[int]:
    """Return stride, padding, dilation and groups in torchvision's order.

    Args:
        layout (dict[str, int]): Settings by one of the two sets of names that
            mmcv uses. Others, such as the kernel size, are ignored.
    """
    names = ('dH', 'dW', 'padH', 'padW', 'dilationH', 'dilationW')
    if 'stride_h' in layout:
        names = ('stride_h', 'stride_w', 'pad_h', 'pad_w', 'dilation_h',
                 'dilation_w')
    return [layout[name] for name in (*names, 'group', 'deformable_group')]


OPERATORS = (nms, roi_align_forward, roi_align_backward,
             sigmoid_focal_loss_forward, sigmoid_focal_loss_backward,
             deform_conv_forward, deform_conv_backward_input,
             deform_conv_backward_parameters, modulated_deform_conv_forward,
             modulated_deform_conv_backward)
