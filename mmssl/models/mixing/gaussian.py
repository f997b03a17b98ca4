"""Gaussian smoothing of images, separably, and of noise fields, in the Fourier domain."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

# Weights further out sum to less than 1e-6.
CUT_AT_SIGMAS = 5


def tenth_of(side: int) -> int:
    """Kernel size for an image side: the largest odd number up to a tenth of it, rounded up (S2, section 3.4)."""
    tenth = math.ceil(side / 10)
    return tenth - 1 + tenth % 2


def gaussian_weights(sigma: Tensor, radius: int) -> Tensor:
    """Weights of Gaussian kernels; each row sums to 1.

    Args:
        sigma: (B,), in pixels, from 0 up; 0 gives all weight to the centre.
        radius: pixels on each side of the centre.

    Returns:
        (B, 2 * radius + 1), as sigma.
    """
    distance = torch.arange(-radius, radius + 1, dtype=sigma.dtype, device=sigma.device)
    weights = torch.exp(-0.5 * (distance / sigma.clamp(min=1e-3)[:, None]) ** 2)
    return weights / weights.sum(dim=1, keepdim=True)


def gaussian_blur(
    images: Tensor, sigma: float | Sequence[float] | Tensor, kernel_size: int | tuple[int, int] | None = None
) -> Tensor:
    """Blur images with a Gaussian, along rows and then along columns, mirrored at the border.

    Weights beyond 5 sigma are left out: within 1e-5 of the whole kernel, for images in [0, 1], at a fraction of its
    cost. The memory format of the images is kept.

    Args:
        images: (B, C, H, W), float.
        sigma: in pixels, from 0 (unchanged) up; one number, or one for each image, (B,), which the CPU must hold.
        kernel_size: in pixels, odd; one number or (height, width); None is a tenth of each side.

    Returns:
        (B, C, H, W).

    Raises:
        ValueError: a negative sigma, or one on another device; an even kernel; a kernel that reaches further than the
            image is wide.
    """
    B, C, H, W = images.shape
    sigma = torch.as_tensor(sigma, dtype=torch.float64)
    if sigma.device.type != 'cpu' or sigma.numel() not in (1, B) or not bool((sigma >= 0).all()):
        raise ValueError(f'sigma is {sigma}, expected 1 or {B} numbers from 0 up, on the CPU')
    sizes = (kernel_size, kernel_size) if isinstance(kernel_size, int) else kernel_size or (tenth_of(H), tenth_of(W))
    reach = math.ceil(CUT_AT_SIGMAS * float(sigma.max()))
    y, x = (min(size // 2, reach) for size in sizes)
    if not all(size % 2 for size in sizes) or y >= H or x >= W:
        raise ValueError(f'kernel_size is {sizes[0]}x{sizes[1]} for images of {H}x{W}, expected odd sizes that fit')
    columns, rows = (
        gaussian_weights(sigma.flatten().expand(B), radius).repeat_interleave(C, dim=0).to(images.dtype)
        for radius in (y, x)
    )
    channels_last = images.is_contiguous(memory_format=torch.channels_last) and not images.is_contiguous()
    # One group for each image and channel: each image has weights of its own, and on a CPU it is the fastest form.
    # Autocast would make the convolution, and with it the images, half precision.
    with torch.autocast(images.device.type, enabled=False):
        planes = F.pad(images.contiguous(), (x, x, y, y), mode='reflect').view(1, B * C, H + 2 * y, W + 2 * x)
        for weights in (rows[:, None, None, :], columns[:, None, :, None]):
            planes = F.conv2d(planes, weights.to(images.device, non_blocking=True), groups=B * C)
    blurred = planes.view(B, C, H, W)
    return blurred.contiguous(memory_format=torch.channels_last) if channels_last else blurred


def smoothing_gain(frequency: Tensor, sigma: Tensor) -> Tensor:
    """What a sampled Gaussian leaves of each frequency.

    Args:
        frequency: (N,), in cycles per pixel, in [-0.5, 0.5].
        sigma: (B,), in pixels, from 1 up.

    Returns:
        (B, N), from 0 to 1.
    """
    # A sampled kernel has the spectrum of the continuous one repeated at every whole frequency; a sigma of 1 still
    # shows the nearest repetitions, none the others.
    repeated = frequency + torch.arange(-1, 2, device=frequency.device)[:, None]
    return torch.exp(-2 * (math.pi * sigma[:, None, None] * repeated) ** 2).sum(dim=1)


def smooth_field(noise: Tensor, sigma: Tensor) -> Tensor:
    """Smooth fields with Gaussians of their own, as if the fields repeated themselves beyond their borders.

    By FFT, whose time does not depend on sigma: at 512x1024 and sigma 8 to 32 it is faster than convolutions along
    rows and columns. The mean of each field is taken away: beside it, the little that a large sigma leaves of a small
    field would be lost in rounding.

    Args:
        noise: (B, H, W), float.
        sigma: (B,), in pixels, from 1 up, on the device of the noise.

    Returns:
        (B, H, W), float, of mean 0.
    """
    H, W = noise.shape[-2:]
    spectrum = torch.fft.rfft2(noise)
    spectrum *= smoothing_gain(torch.fft.fftfreq(H, device=noise.device), sigma)[:, :, None]
    spectrum *= smoothing_gain(torch.fft.rfftfreq(W, device=noise.device), sigma)[:, None, :]
    spectrum[:, 0, 0] = 0
    return torch.fft.irfft2(spectrum, s=(H, W))
