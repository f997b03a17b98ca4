"""What a target for every pixel needs before it is packed."""


def image_as_original(results: dict) -> None:
    """Declare the image as it stands to be the original one.

    A target made from the image belongs to its current pixels, after crops, resizing and flips. mmseg's
    postprocessing would flip predictions back and resize them to the file's size, away from the target.

    Args:
        results: a sample with ``img`` (H, W, ...); changed in place: ``img_shape``, ``ori_shape`` and, where there is
            one, ``pad_shape`` become (H, W), ``scale_factor`` (1.0, 1.0), ``flip`` False, ``flip_direction`` None.
    """
    size = results['img'].shape[:2]
    results['img_shape'] = results['ori_shape'] = size
    if 'pad_shape' in results:
        results['pad_shape'] = size
    results['scale_factor'] = (1.0, 1.0)
    results['flip'], results['flip_direction'] = False, None


def check_bgr(results: dict, transform: str) -> None:
    """Raise ValueError with one line where ``results['img']`` is not a uint8 image of three channels.

    Args:
        results: a sample.
        transform: name of the transform that needs the image.
    """
    image = results.get('img')
    if image is None:
        raise ValueError(f'{transform}: the sample has no img, expected a transform before that loads it')
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != 'uint8':
        raise ValueError(
            f'{results.get("img_path")}: {transform} found an image of shape {image.shape} and type {image.dtype}, '
            'expected (H, W, 3) uint8 in BGR'
        )
