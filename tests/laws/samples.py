"""All samples, for every op at least one call; `test_laws` reads them."""

from __future__ import annotations

from laws import attention, convolution, functions, linalg, losses, pointwise, pooling, recurrent, structural
from laws.sample import Sample

SAMPLES: list[Sample] = [
    sample
    for table in (
        vars(pointwise),
        vars(structural),
        vars(attention),
        vars(convolution),
        vars(functions),
        vars(linalg),
        vars(pooling),
        vars(losses),
        vars(recurrent),
    )
    for name, samples in table.items()
    if name.isupper() and isinstance(samples, list)
    for sample in samples
]

# No gradient passes through these: their results are booleans, indices or lengths of gradients.
NOT_DIFFERENTIABLE = {
    "all", "any", "argmax", "argmin", "argsort", "binary_exponent", "bitwise_and", "bitwise_left_shift", "bitwise_not",
    "bitwise_or", "bitwise_right_shift", "bitwise_xor", "eq", "gcd", "ge", "gt", "heaviside", "isclose", "isfinite",
    "isin", "isinf", "isnan", "lcm", "le", "logical_and", "logical_not", "logical_or", "logical_xor", "lt",
    "max_places", "mode_place", "ne", "one_hot_of", "out_of_range", "pivots", "row_order", "running_place",
    "searchsorted", "signbit", "sum_of_squares", "within",
}  # fmt: skip
