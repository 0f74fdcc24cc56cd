#!/usr/bin/env python3
"""Exact values of the functions of src/math, for tests/math.rs.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install mpmath
    /tmp/venv/bin/python scripts/math_reference.py > tests/data/math.json

A number as argument multiplies the points: the error bounds in the docs were found with 30 times as many.

Each row holds the argument (two for log_add_exp), an f64, and the exact value as an unevaluated sum hi + lo of two f64,
from 60 digits or more, so that errors are measured in fractions of an ulp. About half the arguments are f32 as well.
"""

import math
import random
import struct
import sys

import mpmath
from mpmath import mp, mpf

mp.dps = 60

DENSITY = int(sys.argv[1]) if len(sys.argv) > 1 else 1
LN2 = math.log(2.0)


def single(x):
    try:
        return struct.unpack("f", struct.pack("f", x))[0]
    except OverflowError:
        return x


def near(place, steps=(-3, -1, 0, 1, 2)):
    """The place and its neighbours, in both types."""
    found = []
    ulp32 = math.ldexp(1.0, max(math.frexp(place)[1] - 24, -149))
    for step in steps:
        found.append(single(place) + step * ulp32)
        found.append(place + step * math.ulp(place))
    return found


def uniform(rng, low, high, n):
    values = [rng.uniform(low, high) for _ in range(n * DENSITY)]
    return [single(x) for x in values[::2]] + values[1::2]


def magnitudes(rng, low, high, n, signs=(1, -1)):
    """Evenly spread exponents of two."""
    values = [rng.choice(signs) * 2.0 ** rng.uniform(low, high) for _ in range(n * DENSITY)]
    return [single(x) for x in values[::2]] + values[1::2]


def exponential(rng):
    """Arguments for which e^x matters: around the reduction's break points, at the ends of both ranges."""
    places = [k * LN2 / 2 for k in (-41, -3, -2, -1, 1, 2, 3, 5, 255, 257, 2047)]
    places += [-87.33654, -88.0, -103.27893, -103.97208, 88.02969, 88.72283, -708.3964, -745.1332, 709.436, 709.7827, 1.0, -1.0]
    points = [x for place in places for x in near(place)] + [5e-324, -5e-324, 1.4e-45, 1e-310, -1e-310, 1e-39]
    points += uniform(rng, -1, 1, 90) + uniform(rng, -20, 20, 60) + uniform(rng, -104, 89, 60) + uniform(rng, -745, 709, 40)
    return points + magnitudes(rng, -60, -1, 60) + magnitudes(rng, -1074, -60, 10)


def logistic(rng):
    points = exponential(rng) + [x for p in (20.0, 36.7, 40.0, 17.3, 100.0, -20.0, -36.7, -40.0, -100.0) for x in near(p)]
    return points + [1e4, -1e4, 1e3, -1e3, 9999.5, -9999.9, -800.0, 800.0] + uniform(rng, -5, 5, 60)


def logarithm(rng):
    places = [0.5, math.sqrt(0.5), 1.0, math.sqrt(2.0), 2.0, 4 * math.sqrt(0.5), 10.0, 1e30, 3.4e38, 1.1754944e-38, 2.2250738585072014e-308]
    points = [x for place in places for x in near(place)] + [5e-324, 1.5e-323, 1e-310, 1.4e-45, 1e-40, 1.7976931348623157e308]
    points = [x for x in points if x > 0] + uniform(rng, 0.5, 2, 120) + uniform(rng, 0.7, 1.42, 90) + uniform(rng, 0.95, 1.05, 60)
    return points + magnitudes(rng, -149, 127, 60, (1,)) + magnitudes(rng, -1074, 1023, 60, (1,))


def shifted_logarithm(rng):
    places = [-0.5, math.sqrt(0.5) - 1, math.sqrt(2.0) - 1, -1 + 2**-24, 1.0, 2.0, 3.0, 1e7, 1.7e7, 9e15, 3.4e38]
    points = [x for place in places for x in near(place)] + [math.nextafter(-1.0, 0.0), 5e-324, -5e-324, 1e-310, -1e-40]
    points = [x for x in points if x > -1] + uniform(rng, -1, 1, 120) + uniform(rng, -0.99, 3, 90) + uniform(rng, -0.3, 0.42, 60)
    return points + magnitudes(rng, -60, 0, 60) + magnitudes(rng, -1074, -60, 10) + magnitudes(rng, 0, 1023, 40, (1,))


def hyperbolic(rng):
    """Around the reduction's break points, where the tangent rounds to 1 and where its slope underflows."""
    places = [k * LN2 / 4 for k in (1, 3, 5, 7, 47, 49, 51, 53, 99, 101, 103, 107)]
    places += [1.0, 3.0, 8.66, 9.0109, 18.7150, 19.0615, 43.6, 44.3614, 52.3291, 354.2, 354.8913, 373.2]
    points = [x for place in places for x in near(place)] + [5e-324, 1.4e-45, 1e-310, 1e-39, 1e-160]
    points += uniform(rng, 0, 1, 150) + uniform(rng, 0, 10, 120) + uniform(rng, 0, 53, 40) + uniform(rng, 0, 374, 30)
    points += magnitudes(rng, -60, 0, 60, (1,)) + magnitudes(rng, -1074, -60, 10, (1,))
    return [sign * x for sign, x in zip([1, -1] * len(points), points)]


def log_probability(rng):
    places = [-LN2, -LN2 / 2, -1.5 * LN2, -1.0, -0.1, -math.log(1 + math.sqrt(0.5)), -math.log(math.sqrt(0.5)) - 1, -17.3, -36.7, -103.9, -745.0]
    points = [x for place in places for x in near(place)]
    points += [-1e-30, -1e-8, -1e-12, -40.0, -800.0, -801.0, -1e4, -1e3, -5e-324, -1e-310, -1.4e-45, -1e-40]
    points += uniform(rng, -1, 0, 120) + uniform(rng, -0.8, -0.6, 60) + uniform(rng, -20, 0, 90) + uniform(rng, -745, 0, 30)
    points += magnitudes(rng, -60, 0, 60, (-1,)) + magnitudes(rng, -1020, -60, 20, (-1,))
    return [x for x in points if x < 0]


def pairs(rng):
    first = uniform(rng, -20, 20, 80) + uniform(rng, -1e4, 1e4, 30) + magnitudes(rng, -40, 3, 100)
    gaps = uniform(rng, -40, 40, 160) + magnitudes(rng, -30, 4, 50)
    rows = []
    for a, gap in zip(first, gaps):
        rows += [(a, a + gap), (single(a), single(a + gap)), (a, gap), (single(a), single(gap))]
    return rows + [(0.0, 0.0), (-LN2, -LN2), (-800.0, -801.0), (1e4, -1e4), (-1e4, -1e4), (1e-9, -16.0), (1e-7, -16.0)]


def softplus(x):
    return mpmath.log1p(mpmath.exp(x)) if x < 0 else x + mpmath.log1p(mpmath.exp(-x))


def log1mexp(x):
    return mpmath.log(-mpmath.expm1(x)) if x > -1 else mpmath.log1p(-mpmath.exp(x))


FUNCTIONS = {
    "exp": (exponential, mpmath.exp),
    "exp_m1": (exponential, mpmath.expm1),
    "ln": (logarithm, mpmath.log),
    "ln_1p": (shifted_logarithm, mpmath.log1p),
    "tanh": (hyperbolic, mpmath.tanh),
    "tanh_slope": (hyperbolic, lambda x: mpmath.sech(x) ** 2),
    "softplus": (logistic, softplus),
    "sigmoid": (logistic, lambda x: 1 / (1 + mpmath.exp(-x))),
    "log_sigmoid": (logistic, lambda x: -softplus(-x)),
    "log1mexp": (log_probability, log1mexp),
    "log1mexp_slope": (log_probability, lambda x: 1 / mpmath.expm1(-x) * -1),
    "log_odds": (log_probability, lambda x: x - log1mexp(x)),
    "log_odds_slope": (log_probability, lambda x: -1 / mpmath.expm1(x)),
    "log_add_exp": (pairs, lambda a, b: max(a, b) + mpmath.log1p(mpmath.exp(-abs(a - b)))),
}


def text(value):
    """The shortest digits that read back as the same f64."""
    return repr(value).removesuffix(".0").replace("e-0", "e-")


def main():
    entries = []
    for name, (points, function) in FUNCTIONS.items():
        rows = []
        for point in sorted(set(points(random.Random(name)))):
            arguments = point if isinstance(point, tuple) else (point,)
            # Enough digits for 1 ± e^-|x|: what is far from 1 by e^-10000 is not asked for.
            mp.dps = 60 + int(min(max(map(abs, arguments)), 1500.0) * 0.88)
            exact = function(*map(mpf, arguments))
            hi = float(exact)
            if math.isinf(hi):
                continue
            lo = float("%.5g" % float(exact - mpf(hi)))
            rows.append("[%s]" % ",".join(text(v) for v in (*arguments, hi, lo)))
        entries.append('"%s":[\n%s\n]' % (name, ",\n".join(rows)))
    print("{%s}" % ",\n".join(entries))


main()
