"""Exponentials, logarithms and tanh without branches or calls, so that a loop around them is vectorised.

A generated module contains the text of those it uses. Nothing in them is reordered: terms that look as if they
cancelled are what makes the last digits right. The largest relative errors, in units of 2⁻²⁴ (of 2⁻⁵³ for float64):
exp 1.4 (1.4), expm1 1.9 (2.3), log 1.3 (1.4), log1p 2.3 (2.1), tanh 4.3 (3.0), where NumPy's float32 has 3.3, 3.4, 4.0,
3.3 and 1.8. ±∞, NaN and results below the normal numbers are as in NumPy.
"""

from __future__ import annotations

import struct

import numpy as np
from numpy import float32 as f4
from numpy import float64 as f8
from numpy import int32 as i4
from numpy import int64 as i8

# What the text needs beside arithmetic; in loops these are single instructions (see `vocabulary`).


def bits_f4(x: f4) -> i4:
    """The 32 bits of a float as an integer."""
    return i4(struct.unpack("<i", struct.pack("<f", x))[0])


def of_bits_f4(n: i4) -> f4:
    """The float of these 32 bits."""
    return f4(struct.unpack("<f", struct.pack("<i", n))[0])


def bits_f8(x: f8) -> i8:
    """The 64 bits of a float as an integer."""
    return i8(struct.unpack("<q", struct.pack("<d", x))[0])


def of_bits_f8(n: i8) -> f8:
    """The float of these 64 bits."""
    return f8(struct.unpack("<d", struct.pack("<q", n))[0])


# float32


def power_of_two_f4(n: f4) -> f4:
    """2ⁿ for an integral n from −126 to 127: n is added to the exponent's bits."""
    return of_bits_f4(i4(i4(bits_f4(n + f4(12582912)) << i4(23)) + i4(0x3F800000)))


def exp_f4(x: f4) -> f4:
    """eˣ = 2ⁿ eʳ, n = round(x / ln 2), |r| ≤ ln 2 / 2; 1.5 · 2²³ added and taken off rounds to an integer."""
    x = f4(89) if x > f4(89) else x
    x = f4(-104) if x < f4(-104) else x
    n = x * f4(1.4426950408889634) + f4(12582912) - f4(12582912)
    r = x - n * f4(0.693359375) + n * f4(2.1219444005469057e-04)
    p = f4(0.0013813880701175117)
    p = p * r + f4(0.008369063650006272)
    p = p * r + f4(0.04166842183101963)
    p = p * r + f4(0.16666517760808292)
    p = p * r + f4(0.49999993253596775)
    y = p * (r * r) + r + f4(1)
    half = n * f4(0.5) + f4(12582912) - f4(12582912)  # 2ⁿ in two steps: n may be −150
    return y * power_of_two_f4(half) * power_of_two_f4(n - half)


def exp2_f4(x: f4) -> f4:
    """2ˣ = 2ⁿ eʳ, n = round(x), r = (x − n) ln 2."""
    x = f4(129) if x > f4(129) else x
    x = f4(-151) if x < f4(-151) else x
    n = x + f4(12582912) - f4(12582912)
    r = (x - n) * f4(0.6931471805599453)
    p = f4(0.0013813880701175117)
    p = p * r + f4(0.008369063650006272)
    p = p * r + f4(0.04166842183101963)
    p = p * r + f4(0.16666517760808292)
    p = p * r + f4(0.49999993253596775)
    y = p * (r * r) + r + f4(1)
    half = n * f4(0.5) + f4(12582912) - f4(12582912)
    return y * power_of_two_f4(half) * power_of_two_f4(n - half)


def expm1_f4(x: f4) -> f4:
    """eˣ − 1 = 2 (2ⁿ⁻¹ (eʳ − 1) + (2ⁿ⁻¹ − ½))."""
    x = f4(89) if x > f4(89) else x
    x = f4(-26) if x < f4(-26) else x
    n = x * f4(1.4426950408889634) + f4(12582912) - f4(12582912)
    r = x - n * f4(0.693359375) + n * f4(2.1219444005469057e-04)
    p = f4(0.00019789808791036715)
    p = p * r + f4(0.0013945199398300316)
    p = p * r + f4(0.00833350035706943)
    p = p * r + f4(0.04166628775899865)
    p = p * r + f4(0.1666666584505416)
    p = p * r + f4(0.5000000069634271)
    scale = power_of_two_f4(n - f4(1))
    return f4(2) * (scale * (p * (r * r) + r) + (scale - f4(0.5)))


def log_f4(x: f4) -> f4:
    """ln x = k ln 2 + ln m, √½ ≤ m < √2; ln m by the series of s = (m − 1) / (m + 1)."""
    tiny = x < f4(1.1754943508222875e-38)
    b = bits_f4(x * f4(8388608) if tiny else x)
    k = i4(i4(b - i4(0x3F3504F3)) >> i4(23))
    f = of_bits_f4(i4(b - i4(k << i4(23)))) - f4(1)
    e = f4(k) - (f4(23) if tiny else f4(0))
    s = f / (f + f4(2))
    z = s * s
    series = z * (f4(2 / 3) + z * (f4(2 / 5) + z * (f4(2 / 7) + z * f4(2 / 9))))
    half = f4(0.5) * f * f
    y = e * f4(0.693359375) + (f - (half - (s * (half + series) - e * f4(2.1219444005469057e-04))))
    y = y if x > f4(0) else (f4(-np.inf) if x == f4(0) else f4(np.nan))
    return y if x < f4(np.inf) else x


def log2_f4(x: f4) -> f4:
    """log₂ x = ln x / ln 2."""
    return log_f4(x) * f4(1.4426950408889634)


def log10_f4(x: f4) -> f4:
    """log₁₀ x = ln x / ln 10."""
    return log_f4(x) * f4(0.4342944819032518)


def log1p_f4(x: f4) -> f4:
    """ln(1 + x) = ln u + (x − (u − 1)) / u, u = 1 + x rounded."""
    u = f4(1) + x
    y = log_f4(u)
    lost = (x - (u - f4(1))) / u
    return y + lost if f4(-1) < x < f4(np.inf) else y


def tanh_f4(x: f4) -> f4:
    """x P(x²) / Q(x²); beyond 7.9 it is ±1."""
    x = f4(7.90531110763549805) if x > f4(7.90531110763549805) else x
    x = f4(-7.90531110763549805) if x < f4(-7.90531110763549805) else x
    z = x * x
    p = f4(-1.1887416148437756e-13)
    p = p * z + f4(6.470832784273353e-11)
    p = p * z + f4(-2.2504001448579005e-08)
    p = p * z + f4(1.1684736611987712e-05)
    p = p * z + f4(0.003153212738878205)
    p = p * z + f4(0.13127747615763127)
    p = p * z + f4(0.9999999984421843)
    q = f4(0.0002618685750686921)
    q = q * z + f4(0.02469017190659859)
    q = q * z + f4(0.46461079329311045)
    q = q * z + f4(1)
    return x * p / q


def logaddexp_f4(x: f4, y: f4) -> f4:
    """ln(eˣ + eʸ) = max(x, y) + ln(1 + e^(−|x − y|)), and x + ln 2 where they are equal, infinities too."""
    gap = x - y
    most = y if gap <= f4(0) else x
    more = most + log1p_f4(exp_f4(gap if gap <= f4(0) else -gap))
    return x + f4(0.6931471805599453) if x == y else more


# float64


def power_of_two_f8(n: f8) -> f8:
    """2ⁿ for an integral n from −1022 to 1023."""
    return of_bits_f8(i8((bits_f8(n + f8(6755399441055744)) << i8(52)) + i8(0x3FF0000000000000)))


def exp_f8(x: f8) -> f8:
    """eˣ = 2ⁿ eʳ, n = round(x / ln 2); eʳ by its series."""
    x = f8(710) if x > f8(710) else x
    x = f8(-746) if x < f8(-746) else x
    n = x * f8(1.4426950408889634) + f8(6755399441055744) - f8(6755399441055744)
    r = x - n * f8(0.693147180369123816490) - n * f8(1.90821492927058770002e-10)
    y = _exp_series_f8(r) * (r * r) + r + f8(1)
    half = n * f8(0.5) + f8(6755399441055744) - f8(6755399441055744)
    return y * power_of_two_f8(half) * power_of_two_f8(n - half)


def _exp_series_f8(r: f8) -> f8:
    """(eʳ − 1 − r) / r² = 1/2! + r/3! + r²/4! + …."""
    p = f8(1 / 6227020800)
    p = p * r + f8(1 / 479001600)
    p = p * r + f8(1 / 39916800)
    p = p * r + f8(1 / 3628800)
    p = p * r + f8(1 / 362880)
    p = p * r + f8(1 / 40320)
    p = p * r + f8(1 / 5040)
    p = p * r + f8(1 / 720)
    p = p * r + f8(1 / 120)
    p = p * r + f8(1 / 24)
    p = p * r + f8(1 / 6)
    return p * r + f8(1 / 2)


def exp2_f8(x: f8) -> f8:
    """2ˣ = 2ⁿ eʳ, n = round(x), r = (x − n) ln 2."""
    x = f8(1025) if x > f8(1025) else x
    x = f8(-1076) if x < f8(-1076) else x
    n = x + f8(6755399441055744) - f8(6755399441055744)
    r = (x - n) * f8(0.6931471805599453)
    y = _exp_series_f8(r) * (r * r) + r + f8(1)
    half = n * f8(0.5) + f8(6755399441055744) - f8(6755399441055744)
    return y * power_of_two_f8(half) * power_of_two_f8(n - half)


def expm1_f8(x: f8) -> f8:
    """eˣ − 1 = 2 (2ⁿ⁻¹ (eʳ − 1) + (2ⁿ⁻¹ − ½))."""
    x = f8(710) if x > f8(710) else x
    x = f8(-50) if x < f8(-50) else x
    n = x * f8(1.4426950408889634) + f8(6755399441055744) - f8(6755399441055744)
    r = x - n * f8(0.693147180369123816490) - n * f8(1.90821492927058770002e-10)
    scale = power_of_two_f8(n - f8(1))
    return f8(2) * (scale * (_exp_series_f8(r) * (r * r) + r) + (scale - f8(0.5)))


def log_f8(x: f8) -> f8:
    """ln x = k ln 2 + ln m, √½ ≤ m < √2; ln m by the series of s = (m − 1) / (m + 1)."""
    tiny = x < f8(2.2250738585072014e-308)
    b = bits_f8(x * f8(4503599627370496) if tiny else x)
    k = i8((b - i8(0x3FE6A09E667F3BCD)) >> i8(52))
    f = of_bits_f8(i8(b - (k << i8(52)))) - f8(1)
    e = f8(k) - (f8(52) if tiny else f8(0))
    s = f / (f + f8(2))
    z = s * s
    series = f8(2 / 21)
    series = series * z + f8(2 / 19)
    series = series * z + f8(2 / 17)
    series = series * z + f8(2 / 15)
    series = series * z + f8(2 / 13)
    series = series * z + f8(2 / 11)
    series = series * z + f8(2 / 9)
    series = series * z + f8(2 / 7)
    series = series * z + f8(2 / 5)
    series = series * z + f8(2 / 3)
    half = f8(0.5) * f * f
    y = e * f8(0.693147180369123816490) + (f - (half - (s * (half + z * series) + e * f8(1.90821492927058770002e-10))))
    y = y if x > f8(0) else (f8(-np.inf) if x == f8(0) else f8(np.nan))
    return y if x < f8(np.inf) else x


def log2_f8(x: f8) -> f8:
    """log₂ x = ln x / ln 2."""
    return log_f8(x) * f8(1.4426950408889634)


def log10_f8(x: f8) -> f8:
    """log₁₀ x = ln x / ln 10."""
    return log_f8(x) * f8(0.4342944819032518)


def log1p_f8(x: f8) -> f8:
    """ln(1 + x) = ln u + (x − (u − 1)) / u, u = 1 + x rounded."""
    u = f8(1) + x
    y = log_f8(u)
    lost = (x - (u - f8(1))) / u
    return y + lost if f8(-1) < x < f8(np.inf) else y


def tanh_f8(x: f8) -> f8:
    """±t / (t + 2) with t = e^(2|x|) − 1; beyond 20 it is ±1."""
    size = -x if x < f8(0) else x
    t = expm1_f8(f8(2) * (f8(20) if size > f8(20) else size))
    y = t / (t + f8(2))
    return -y if x < f8(0) else y


def logaddexp_f8(x: f8, y: f8) -> f8:
    """ln(eˣ + eʸ) = max(x, y) + ln(1 + e^(−|x − y|)), and x + ln 2 where they are equal, infinities too."""
    gap = x - y
    most = y if gap <= f8(0) else x
    more = most + log1p_f8(exp_f8(gap if gap <= f8(0) else -gap))
    return x + f8(0.6931471805599453) if x == y else more
