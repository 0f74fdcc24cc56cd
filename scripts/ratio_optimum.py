#!/usr/bin/env python3
"""Exact values of where DDO comes to rest, as they stand in the tests of src/ratio/, from 40 digits.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install mpmath numpy scipy && /tmp/venv/bin/python scripts/ratio_optimum.py

The largest alpha at which a perfect reference is the best model is found twice: along the line on which one state takes
mass from all others, with 40 digits, and by minimisation over all models, from many starts, for random references.
"""

import numpy as np
from mpmath import exp, log, log1p, mp, mpf, nstr
from scipy.optimize import minimize

mp.dps = 40


def sp(x):
    return log1p(exp(x))


def alpha_at(beta, rarest, q):
    """The alpha at which the loss of a model that gives the rarest state the mass q is that of the reference."""
    up, down = log(q / rarest), log((1 - q) / (1 - rarest))
    mean = rarest * up + (1 - rarest) * down
    fake = rarest * sp(beta * up) + (1 - rarest) * sp(beta * down) - log(2)
    return beta * mean / fake - 1


def largest_alpha(beta, states):
    beta, rarest = mpf(beta), 1 / mpf(states)

    def at(u):
        return alpha_at(beta, rarest, 1 / (1 + exp(-u)))

    low = log(rarest / (1 - rarest))
    grid = [low + mpf(i) / 20 for i in range(1, 800)]
    found = [(at(u), u) for u in grid if at(u) > 0]
    if not found:
        return mpf("inf")  # no model is as good as the reference, whatever alpha
    best = min(found)[1]
    left, right = best - mpf(1) / 20, best + mpf(1) / 20
    for _ in range(120):
        third = (right - left) / 3
        left, right = (left, right - third) if at(left + third) < at(right - third) else (left + third, right)
    return at((left + right) / 2)


def over_all_models(rng, beta, reference, starts=12):
    """The same, with any model: the least alpha at which one is as good as the reference."""

    def alpha(z):
        z = z - z.max()
        p = np.maximum(np.exp(z) / np.exp(z).sum(), 1e-300)
        r = np.log(p / reference)
        fake = reference @ (np.logaddexp(0, beta * r) - np.log(2))
        return beta * (reference @ r) / fake - 1 if fake < -1e-9 else 1e3

    found = [1e3]
    for start in range(starts):
        z = np.log(reference)
        z = z + (np.eye(len(z))[start] * rng.uniform(0.5, 8) if start < len(z) else rng.normal(size=len(z)) * 3)
        options = dict(maxiter=4000, xatol=1e-9, fatol=1e-11)
        found.append(minimize(alpha, z, method="Nelder-Mead", options=options).fun)
    return min(found)


print("beta, states, largest alpha")
for beta in ("1", "0.1", "0.02", "1.5", "4"):
    for states in (3, 6, 100, 10_000):
        print(f"({beta}, {states}, {nstr(largest_alpha(beta, states), 17)})")

print("gap to the least over all models, random references; never below -1e-9")
rng = np.random.default_rng(1)
gaps = []
for _ in range(60):
    reference = rng.dirichlet(np.full(rng.integers(3, 7), rng.choice([0.3, 1, 5])))
    beta = float(rng.choice([0.02, 0.1, 0.5, 1, 1.5, 1.9, 2.5, 4, 8]))
    if 1e-4 < reference.min() < 0.3:
        line = float(largest_alpha(beta, 1 / mpf(float(reference.min()))))
        if line < 900:
            gaps.append(over_all_models(rng, beta, reference) - line)
print(len(gaps), min(gaps), max(gaps))

print("beta, optimal alpha, distribution")
data, reference = [mpf(x) for x in (0.5, 0.3, 0.2)], [mpf(x) for x in (0.2, 0.3, 0.5)]
data, reference = [[x / sum(side) for x in side] for side in (data, reference)]
for beta in (0.02, 0.1, 0.5, 0.9375, 1, 1.5, 8, 1e10):
    b = mpf(beta)
    powers = [r ** (1 - 1 / b) * d ** (1 / b) for d, r in zip(data, reference)]
    total = sum(powers)
    print(f"({beta}, {nstr(total ** b, 17)}, [{', '.join(nstr(p / total, 17) for p in powers)}])")
