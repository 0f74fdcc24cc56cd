#!/usr/bin/env python3
"""Minimax polynomials of src/simd/special.rs, by Remez exchange at 40 digits.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install mpmath && /tmp/venv/bin/python scripts/minimax.py

Each fit is linear: base(x) + factor(x) poly(x) approximates target(x) with the least largest relative error.
Coefficients are printed highest first; the error is that of the polynomial after rounding to the type.
"""

import struct

from mpmath import atanh, cos, exp, expm1, linspace, log, log1p, lu_solve, matrix, mp, mpf, pi, polyval, sqrt

mp.dps = 40


def single(x):
    return mpf(struct.unpack("f", struct.pack("f", float(x)))[0])


def double(x):
    return mpf(float(x))


def shortest(c, to_type):
    """The fewest digits that read back as the same number."""
    return next(text for text in ("%.*e" % (n, c) for n in range(18)) if to_type(mpf(text)) == c)


def exchange(target, weight, n, a, b):
    """The polynomial of n coefficients, highest first, whose weighted error alternates n times with equal size."""
    nodes = [a + (b - a) * ((1 - cos(pi * i / n)) / 2) ** mpf("1.05") for i in range(n + 1)]
    grid = linspace(a, b, 1001)
    wanted = [(x, target(x), weight(x)) for x in grid]
    for _ in range(8):
        rows = [[x**k for k in reversed(range(n))] + [(-1) ** i / weight(x)] for i, x in enumerate(nodes)]
        poly = list(lu_solve(matrix(rows), matrix([target(x) for x in nodes])))[:n]
        errors = [w * (t - polyval(poly, x)) for x, t, w in wanted]
        runs = [[0]]  # stretches of one sign: the worst point of each is a new node
        for i in range(1, len(grid)):
            if errors[i] * errors[runs[-1][-1]] > 0:
                runs[-1].append(i)
            else:
                runs.append([i])
        peaks = [max(run, key=lambda i: abs(errors[i])) for run in runs]
        while len(peaks) > n + 1:
            peaks.pop(0 if abs(errors[peaks[0]]) < abs(errors[peaks[-1]]) else -1)
        if len(peaks) < n + 1:
            raise ValueError("the error alternates too seldom")
        nodes = [grid[i] for i in peaks]
    return poly


def fit(name, to_type, n, target, base, factor, a, b):
    rest = lambda x: (target(x) - base(x)) / factor(x)
    poly = [to_type(c) for c in exchange(rest, lambda x: abs(factor(x) / target(x)), n, a, b)]
    error = max(abs((base(x) + factor(x) * polyval(poly, x)) / target(x) - 1) for x in linspace(a, b, 2001))
    print(name, to_type.__name__, n, "error 2^%.1f" % log(error, 2))
    print("   ", ", ".join(shortest(c, to_type) for c in poly))


def main():
    half, tiny = log(2) / 2 * mpf("1.0001"), mpf(10) ** -9
    for to_type, n in ((single, 5), (double, 10)):
        name, base = "e^r - 1 = r + r^2/2 + r^3 p(r)", lambda r: r + r**2 / 2
        fit(name, to_type, n, expm1, base, lambda r: r**3, -half, half + tiny)
    for to_type, n in ((single, 4), (double, 9)):
        name, base = "e^r = 1 + r + r^2/2 + r^3 p(r)", lambda r: 1 + r + r**2 / 2
        fit(name, to_type, n, exp, base, lambda r: r**3, -half, half + tiny)
    widest = ((sqrt(2) - 1) / (sqrt(2) + 1)) ** 2 * mpf("1.0001")
    ratio = lambda z: 2 * atanh(sqrt(z)) / sqrt(z)
    for to_type, n in ((single, 4), (double, 7)):
        fit("2 atanh(s) = s (2 + z p(z)), z = s^2", to_type, n, ratio, lambda z: 2, lambda z: z, tiny, widest)
    low, high = (sqrt(2) / 2 - 1) * mpf("1.0001"), (sqrt(2) - 1) * mpf("1.0001")
    fit("ln(1 + f) = f - f^2/2 + f^3/2 p(f)", single, 8, log1p, lambda f: f - f**2 / 2, lambda f: f**3 / 2, low, high + tiny)
    for to_type, n in ((single, 5), (double, 11)):
        fit("the same up to s = 1/3", to_type, n, ratio, lambda z: 2, lambda z: z, tiny, mpf(1) / 9)


main()
