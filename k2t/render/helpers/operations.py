"""Operations of Keras and TensorFlow that torch has no word for."""

import torch
import torch.nn.functional as F


def divide_no_nan(x, y):
    """x / y, and 0 where y is 0; neither is the gradient NaN there."""
    zero = torch.as_tensor(y == 0)
    return torch.where(zero, 0, x / torch.where(zero, 1, y))


def categorical_crossentropy(target, output):
    """Of probabilities (..., classes) that are brought to a sum of 1, and clipped at 1e-7."""
    output = (output / output.sum(-1, keepdim=True)).clamp(1e-7, 1 - 1e-7)
    return -(target * output.log()).sum(-1)


def sparse_categorical_crossentropy(target, logits):
    """Of logits (..., classes), or logarithms of probabilities that need not have a sum of 1."""
    target = target.squeeze(-1) if target.dim() == logits.dim() else target
    return -logits.log_softmax(-1).gather(-1, target.long().unsqueeze(-1)).squeeze(-1)


def nanvar(x, dim=None, keepdim=False):
    """The variance of the numbers that are not NaN, which have no part in the gradient."""
    known = ~x.isnan()
    x, count = x.masked_fill(~known, 0), known.sum(dim, keepdim=True)
    wrong = torch.where(known, x - x.sum(dim, keepdim=True) / count, 0)
    return wrong.square().sum(dim, keepdim) / known.sum(dim, keepdim)


def nanstd(x, dim=None, keepdim=False):
    """The standard deviation of the numbers that are not NaN."""
    return nanvar(x, dim, keepdim).sqrt()


def nanargmax(x, dim=None, keepdim=False):
    """Where the largest number is that is not NaN; -1 where all are."""
    unknown = x.isnan()
    places = x.masked_fill(unknown, -torch.inf).argmax(dim, keepdim)
    return places.masked_fill(unknown.all() if dim is None else unknown.all(dim, keepdim), -1)


def depth_to_space(x, size):
    """Blocks of size x size pixels out of channels: (n, h, w, c) to (n, h * size, w * size, -1)."""
    n, h, w, _ = x.shape
    x = x.reshape(n, h, w, size, size, -1).permute(0, 1, 3, 2, 4, 5)
    return x.reshape(n, h * size, w * size, -1)


def space_to_depth(x, size):
    """Channels out of blocks of size x size pixels: (n, h, w, c) to (n, h / size, w / size, -1)."""
    n, h, w, c = x.shape
    x = x.reshape(n, h // size, size, w // size, size, c).permute(0, 1, 3, 2, 4, 5)
    return x.reshape(n, h // size, w // size, -1)


def extract_patches(images, size, stride):
    """The pixels of each patch of images (n, h, w, c) in a row: (n, rows, columns, -1)."""
    patches = images.unfold(1, size[0], stride[0]).unfold(2, size[1], stride[1])
    return patches.permute(0, 1, 2, 4, 5, 3).flatten(3)


def rgb_to_grayscale(images):
    """The brightness of pixels (..., 3), as TensorFlow weighs the colours: (..., 1)."""
    return (images @ images.new_tensor([0.2989, 0.587, 0.114])).unsqueeze(-1)


def rgb_to_hsv(images):
    """Hue, saturation and value of pixels (..., 3), all from 0 to 1."""
    value = images.amax(-1)
    spread = value - images.amin(-1)
    safe = torch.where(spread > 0, spread, 1)
    r, g, b = (images / safe.unsqueeze(-1)).unbind(-1)
    hue = torch.where(value == images[..., 1], b - r + 2, r - g + 4)
    hue = torch.where(value == images[..., 0], g - b, hue)
    hue = torch.where(spread > 0, (hue / 6) % 1, 0)
    saturation = torch.where(value > 0, spread / torch.where(value > 0, value, 1), 0)
    return torch.stack([hue, saturation, value], -1)


def hsv_to_rgb(images):
    """Colours of pixels (..., 3) from hue, saturation and value."""
    hue, saturation, value = images.unbind(-1)
    shifts = images.new_tensor([3, 2, 4])
    wave = (hue.unsqueeze(-1) * 6 - shifts).abs()
    colours = images.new_tensor([1, -1, -1]) * wave + images.new_tensor([-1, 2, 2])
    amount = saturation.unsqueeze(-1)
    return (1 - amount + amount * colours.clamp(0, 1)) * value.unsqueeze(-1)


def adjust_saturation(images, factor):
    """Pixels (..., 3) with their saturation times a factor."""
    hue, saturation, value = rgb_to_hsv(images).unbind(-1)
    return hsv_to_rgb(torch.stack([hue, (saturation * factor).clamp(0, 1), value], -1))


def adjust_hue(images, delta):
    """Pixels (..., 3) with their hue turned by a share of the circle."""
    hue, saturation, value = rgb_to_hsv(images).unbind(-1)
    return hsv_to_rgb(torch.stack([(hue + delta) % 1, saturation, value], -1))


def adjust_contrast(images, factor):
    """Pixels (..., h, w, c) further from the mean of their channel by a factor."""
    mean = images.mean((-3, -2), keepdim=True)
    return (images - mean) * factor + mean


def per_image_standardization(images):
    """Each image (..., h, w, c) with a mean of 0 and a deviation of 1."""
    axes = (-3, -2, -1)
    least = images.shape[-3:].numel() ** -0.5  # of images of one colour
    deviation = images.std(axes, correction=0, keepdim=True).clamp(min=least)
    return (images - images.mean(axes, keepdim=True)) / deviation


def total_variation(images):
    """The sum of the differences of neighbouring pixels of each image (n, h, w, c): (n,)."""
    down, across = images.diff(dim=1).abs(), images.diff(dim=2).abs()
    return down.sum((1, 2, 3)) + across.sum((1, 2, 3))


def image_gradients(images):
    """Differences to the pixels below and to the right in images (n, h, w, c), 0 at the edge."""
    down = F.pad(images.diff(dim=1), (0, 0, 0, 0, 0, 1))
    return down, F.pad(images.diff(dim=2), (0, 0, 0, 1))


def sobel_edges(images):
    """Slopes of images (n, h, w, c) in y and in x: (n, h, w, c, 2)."""
    slope = images.new_tensor([[-1, -2, -1], [0, 0, 0], [1, 2, 1]])
    kernels = torch.stack([slope, slope.T]).unsqueeze(1)
    n, h, w, c = images.shape
    x = F.pad(images.permute(0, 3, 1, 2), (1, 1, 1, 1), mode="reflect")
    edges = F.conv2d(x.reshape(n * c, 1, h + 2, w + 2), kernels)
    return edges.reshape(n, c, 2, h, w).permute(0, 3, 4, 1, 2)


def ssim(first, second, max_val, size=11, sigma=1.5, k1=0.01, k2=0.03):
    """The structural similarity of each pair of images (n, h, w, c): (n,)."""
    steps = torch.arange(size, device=first.device) - (size - 1) / 2
    weights = (-steps.square() / (2 * sigma**2)).softmax(0)
    c1, c2 = (k1 * max_val) ** 2, (k2 * max_val) ** 2

    def smooth(x):
        n, h, w, c = x.shape
        x = x.permute(0, 3, 1, 2).reshape(n * c, 1, h, w)
        x = F.conv2d(F.conv2d(x, weights.reshape(1, 1, -1, 1)), weights.reshape(1, 1, 1, -1))
        return x.reshape(n, c, *x.shape[2:])

    mean_1, mean_2 = smooth(first), smooth(second)
    product = mean_1 * mean_2 * 2
    squares = mean_1.square() + mean_2.square()
    luminance = (product + c1) / (squares + c1)
    covariance = smooth(first * second) * 2 - product
    contrast = (covariance + c2) / (smooth(first.square() + second.square()) - squares + c2)
    return (luminance * contrast).mean((2, 3)).mean(1)
