"""Padding, interpolation, pixel shuffling and sampling of grids beside PyTorch's in float64: values and gradients."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from byhand import nn  # noqa: E402
from byhand.nn import functional as F  # noqa: E402
from parity.comparison import compare, values  # noqa: E402


def images(nd, last, lead=(2, 3)):
    """Values whose channels come first, or last, in memory."""
    x = values(*lead, *(5, 4, 6)[:nd])
    return np.moveaxis(np.moveaxis(x, -nd - 1, -1).copy(), -1, -nd - 1) if last else x


# padding


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("name", ["ZeroPad", "ConstantPad", "ReflectionPad", "ReplicationPad", "CircularPad"])
@pytest.mark.parametrize("nd", [1, 2, 3])
def test_pads(nd, name, last):
    for widths in (2, tuple(range(1, 4)) * 2, (0, 1, 2, 0, 3, 1), (-1, 2, 1, -2, -1, -1)):
        given = (widths if isinstance(widths, int) else widths[: 2 * nd], *([2.5] if name == "ConstantPad" else []))
        mine, other = (getattr(package, f"{name}{nd}d")(*given) for package in (nn, torch.nn))
        assert repr(mine) == repr(other)
        if name == "ReflectionPad" and nd == 3 and isinstance(widths, tuple) and min(widths) < 0:
            continue  # PyTorch refuses that
        for lead in ((2, 3), (3,)):
            compare(mine, other, [images(nd, last, lead)])


# interpolation

MODES = [
    ("nearest", 1), ("nearest", 2), ("nearest", 3), ("nearest-exact", 1), ("nearest-exact", 2), ("area", 2),
    ("linear", 1), ("bilinear", 2), ("trilinear", 3), ("bicubic", 2),
]  # fmt: skip
SIZES = [
    {"size": 3}, {"size": 10}, {"size": 1}, {"scale_factor": 2}, {"scale_factor": 0.7}, {"scale_factor": 1.1},
    {"scale_factor": 1.55},
    {"scale_factor": 1.55, "recompute_scale_factor": True},
]  # fmt: skip


@pytest.mark.parametrize("options", SIZES, ids=str)
@pytest.mark.parametrize(("mode", "nd"), MODES)
def test_interpolate(mode, nd, options):
    if options.get("scale_factor") == 1.1 and (mode, nd) in [("nearest", 1), ("nearest", 3), ("bicubic", 2)]:
        pytest.skip("PyTorch's forward shifts values here, its backward does not")
    for align, last in [(None, False), (None, True), *([(True, False)] if mode.endswith(("linear", "cubic")) else [])]:
        given = {**options, "mode": mode, "align_corners": align}
        compare(
            lambda x, given=given: F.interpolate(x, **given),
            lambda x, given=given: torch.nn.functional.interpolate(x, **given),
            [images(nd, last)],
        )


@pytest.mark.parametrize("align", [True, False])
@pytest.mark.parametrize("size", [(2, 3), (9, 2), (5, 4), (1, 1)])
@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_antialias(mode, size, align):
    given = {"size": size, "mode": mode, "align_corners": align, "antialias": True}
    x = values(2, 3, 9, 8)
    compare(lambda x: F.interpolate(x, **given), lambda x: torch.nn.functional.interpolate(x, **given), [x])


@pytest.mark.parametrize(
    ("name", "args"),
    [("Upsample", (None, 2)), ("Upsample", (None, (2.0, 1.5), "bilinear")),
     ("Upsample", ((3, 7), None, "bicubic", True)), ("UpsamplingNearest2d", (None, 3)), ("UpsamplingNearest2d", (7,)),
     ("UpsamplingBilinear2d", (None, 2)), ("UpsamplingBilinear2d", ((3, 7),))],
)  # fmt: skip
def test_upsampling_layers(name, args):
    mine, other = getattr(nn, name)(*args), getattr(torch.nn, name)(*args)
    assert repr(mine) == repr(other)
    compare(mine, other, [images(2, False)])


# channels and places


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize(
    ("name", "factor", "shape"),
    [("PixelShuffle", 2, (2, 12, 3, 5)), ("PixelShuffle", 3, (9, 2, 2)), ("PixelShuffle", 2, (2, 1, 4, 3, 2)),
     ("PixelUnshuffle", 2, (2, 3, 4, 6)), ("PixelUnshuffle", 3, (1, 3, 6)), ("ChannelShuffle", 2, (2, 6, 3, 2)),
     ("ChannelShuffle", 3, (2, 6, 4))],
)  # fmt: skip
def test_shuffles(name, factor, shape, last):
    mine, other = getattr(nn, name)(factor), getattr(torch.nn, name)(factor)
    assert repr(mine) == repr(other)
    x = values(*shape)
    compare(mine, other, [np.asfortranarray(x) if last else x])


# places between values


@pytest.mark.parametrize("align", [True, False])
@pytest.mark.parametrize("border", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("mode", ["bilinear", "nearest", "bicubic"])
@pytest.mark.parametrize("nd", [2, 3])
def test_grid_sample(mode, nd, border, align):
    if mode == "bicubic" and nd == 3:
        return  # for images only
    grid = values(2, *(3, 4, 2)[:nd], nd, low=-1.8, high=1.8)
    compare(
        lambda x, g: F.grid_sample(x, g, mode, border, align),
        lambda x, g: torch.nn.functional.grid_sample(x, g, mode, border, align),
        [images(nd, False), grid],
    )


@pytest.mark.parametrize("align", [True, False])
@pytest.mark.parametrize("size", [(2, 3, 4, 5), (2, 1, 1, 6), (2, 3, 4, 2, 3)])
def test_affine_grid(size, align):
    nd = len(size) - 2
    compare(
        lambda theta: F.affine_grid(theta, size, align),
        lambda theta: torch.nn.functional.affine_grid(theta, size, align),
        [values(2, nd, nd + 1)],
    )
