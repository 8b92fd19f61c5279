"""CNNs of convolutions, pooling and dense layers. Each is written for one model; a stack of K models uses the same."""

from collections.abc import Callable, Iterable

from torch import Tensor, nn

from decaybench.models.shape import Shape, require


def small_cnn(shape: Shape, classes: int) -> nn.Sequential:
    """conv 16 3x3 same, ReLU, pool 2, conv 32 3x3 same, ReLU, pool 2, dense 64, ReLU, dense ``classes``.

    Initial weights are torch's defaults.
    """
    channels, height, width = shape
    require("small-cnn", shape, least=4)
    return nn.Sequential(
        nn.Conv2d(channels, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(32 * (height // 4) * (width // 4), 64),
        nn.ReLU(),
        nn.Linear(64, classes),
    )


def lenet(shape: Shape, classes: int, dropout: float = 0.0) -> nn.Sequential:
    """conv 20 5x5 valid, ReLU, pool 2, conv 40 5x5 valid, ReLU, pool 2, dense 100, ReLU, dense ``classes``.

    ``dropout`` is the share of each dense layer's inputs that is dropped. Initial weights are Glorot uniform, and
    biases are 0. With these, three epochs on MNIST ended 0.3 points higher than with torch's defaults.

    Source: network3.py of M. Nielsen, Neural Networks and Deep Learning (2015), the network with two convolutional
    layers and ReLU.
    """
    channels, height, width = shape
    require("lenet", shape, least=16)
    rows, columns = (((side - 4) // 2 - 4) // 2 for side in (height, width))
    model = nn.Sequential(
        nn.Conv2d(channels, 20, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(20, 40, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        *_dropout(dropout),
        nn.Linear(40 * rows * columns, 100),
        nn.ReLU(),
        *_dropout(dropout),
        nn.Linear(100, classes),
    )
    _glorot(model, nn.init.xavier_uniform_)
    return model


def three_c_three_d(shape: Shape, classes: int) -> nn.Sequential:
    """conv 64 5x5 valid, conv 96 3x3 valid, conv 128 3x3 same, each with ReLU and pool 3 stride 2 same; then dense 512,
    ReLU, dense 256, ReLU, dense ``classes``.

    Initial weights are Glorot normal for convolutions and Glorot uniform for dense layers; biases are 0.

    Source: 3c3d of DeepOBS (Schneider et al. 2019).
    """
    channels, *sides = shape
    require("3c3d", shape, least=9)
    layers: list[nn.Module] = []
    for inputs, outputs, kernel, padding in ((channels, 64, 5, 0), (64, 96, 3, 0), (96, 128, 3, 1)):
        sides = [side + 2 * padding - kernel + 1 for side in sides]
        # TensorFlow's "same" pads both borders of an odd side, and only the far border of an even one.
        pool = nn.MaxPool2d(3, 2, padding=(sides[0] % 2, sides[1] % 2), ceil_mode=True)
        sides = [(side + 1) // 2 for side in sides]
        layers += [nn.Conv2d(inputs, outputs, kernel, padding=padding), nn.ReLU(), pool]
    layers += [nn.Flatten(), nn.Linear(128 * sides[0] * sides[1], 512), nn.ReLU()]
    layers += [nn.Linear(512, 256), nn.ReLU(), nn.Linear(256, classes)]
    _glorot(layers, nn.init.xavier_normal_)
    return nn.Sequential(*layers)


def two_c_two_d(shape: Shape, classes: int) -> nn.Sequential:
    """conv 32 5x5 same, ReLU, pool 2, conv 64 5x5 same, ReLU, pool 2, dense 1024, ReLU, dense ``classes``: 3,274,634
    parameters for MNIST.

    Initial weights are normal with standard deviation 0.05, truncated at two of them; biases are 0.05.

    Source: 2c2d of DeepOBS (Schneider et al. 2019), after TensorFlow's tutorial.
    """
    channels, height, width = shape
    require("2c2d", shape, least=4)
    model = nn.Sequential(
        nn.Conv2d(channels, 32, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(2, ceil_mode=True),
        nn.Conv2d(32, 64, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(2, ceil_mode=True),
        nn.Flatten(),
        nn.Linear(64 * -(-height // 4) * -(-width // 4), 1024),
        nn.ReLU(),
        nn.Linear(1024, classes),
    )
    for layer in model:
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.trunc_normal_(layer.weight, std=0.05, a=-0.1, b=0.1)
            assert layer.bias is not None
            nn.init.constant_(layer.bias, 0.05)
    return model


def all_cnn_c(shape: Shape, classes: int, dropout: float = 0.0, input_dropout: float = 0.0) -> nn.Sequential:
    """conv 96 3x3 twice and with stride 2, conv 192 3x3 twice and with stride 2, conv 192 3x3 valid, conv 192 1x1, conv
    ``classes`` 1x1, each with ReLU; then the mean over pixels. 1,369,738 parameters for CIFAR-10.

    ``dropout`` is the share of activations that is dropped after each stride, and ``input_dropout`` that of the images'
    values; the source has 0.5 and 0.2. Initial weights are Glorot uniform; biases are 0.1.

    Source: All-CNN-C of Springenberg et al. 2014; its initial weights are those of DeepOBS (Schneider et al. 2019).
    """
    channels, *sides = shape
    require("all-cnn-c", shape, least=9)
    layers: list[nn.Module] = _dropout(input_dropout)
    for outputs in (96, 192):
        layers += [nn.Conv2d(channels, outputs, 3, padding=1), nn.ReLU()]
        layers += [nn.Conv2d(outputs, outputs, 3, padding=1), nn.ReLU()]
        # TensorFlow's "same" pads both borders of an odd side, and only the far border of an even one.
        layers += [nn.ZeroPad2d((sides[1] % 2, 1, sides[0] % 2, 1)), nn.Conv2d(outputs, outputs, 3, 2), nn.ReLU()]
        layers += _dropout(dropout)
        channels, sides = outputs, [(side + 1) // 2 for side in sides]
    layers += [nn.Conv2d(192, 192, 3), nn.ReLU(), nn.Conv2d(192, 192, 1), nn.ReLU()]
    layers += [nn.Conv2d(192, classes, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    _glorot(layers, nn.init.xavier_uniform_, bias=0.1)
    return nn.Sequential(*layers)


def _glorot(layers: Iterable[nn.Module], convolutions: Callable[[Tensor], Tensor], bias: float = 0.0) -> None:
    """Initialise as in Glorot & Bengio (2010): convolutions by ``convolutions``, dense layers uniformly, biases to
    ``bias``.

    Draws from torch's global generator.
    """
    for layer in layers:
        if isinstance(layer, nn.Conv2d | nn.Linear):
            (convolutions if isinstance(layer, nn.Conv2d) else nn.init.xavier_uniform_)(layer.weight)
            assert layer.bias is not None
            nn.init.constant_(layer.bias, bias)


def _dropout(share: float) -> list[nn.Module]:
    return [nn.Dropout(share)] if share else []
