"""Images for networks that were trained on ImageNet: 0 to 255, RGB, channels last."""

import numpy as np


def preprocess_torch(images):
    """As torchvision's weights want them: by mean and standard deviation of ImageNet."""
    mean, std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    return ((np.asarray(images) / 255 - mean) / std).astype("float32")


def preprocess_tf(images):
    """Between -1 and 1."""
    return np.asarray(images, dtype="float32") / 127.5 - 1


def preprocess_caffe(images):
    """BGR, less the mean of ImageNet."""
    return np.asarray(images, dtype="float32")[..., ::-1] - np.float32([103.939, 116.779, 123.68])
