#!/usr/bin/env python3
"""Exact values behind a temperature and a soft cap, as they stand in src/logits/transform/tests.rs, at 60 digits.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install mpmath && /tmp/venv/bin/python scripts/transform_reference.py

Inputs are the doubles nearest to what is written. Losses are the plain sums of their definition; gradients are numerical
derivatives of the losses but for the tails, where the closed form stands.
"""

from mpmath import cosh, diff, exp, log, mp, mpf, nstr, tanh

mp.dps = 60
ROWS = [[0.5, -1.25, 2.0, 0.75], [-3.0, 1.5, 0.0, 0.25]]
TAU, CAP = mpf(0.7), mpf(2.5)
WEIGHTS, SMOOTHING, ZETA = [0.5, 2.0, 1.5, 0.0], mpf(0.2), mpf(0.01)


def transform(row):
    return [CAP * tanh(mpf(x) / CAP) / TAU for x in row]


def lse(z):
    return log(sum(exp(x) for x in z))


def target_loss(row, q, weights=(1, 1, 1, 1), smoothing=0, zeta=0):
    """Cross-entropy of target probabilities `q`; a class is a single 1."""
    z = transform(row)
    loss = zeta * sum(mpf(w) * mpf(p) for w, p in zip(weights, q)) * lse(z) ** 2
    for w, p, x in zip(weights, q, z):
        loss += mpf(w) * ((1 - smoothing) * mpf(p) + smoothing / mpf(len(z))) * (lse(z) - x)
    return loss


def entropy(row):
    z = transform(row)
    return sum(exp(x - lse(z)) * (lse(z) - x) for x in z)


def gradient(f, row):
    def along(v):
        return lambda x: f([x if u == v else mpf(y) for u, y in enumerate(row)])

    return [diff(along(v), mpf(x)) for v, x in enumerate(row)]


def show(name, values):
    print(f"{name}:", ", ".join(nstr(x, 17, min_fixed=-4, max_fixed=6) for x in values))


def both(name, losses):
    show(name, [f(row) for f, row in zip(losses, ROWS)])
    show(name + " gradient", [g for f, row in zip(losses, ROWS) for g in gradient(f, row)])


one_hot = [[float(v == y) for v in range(4)] for y in (2, 0)]
soft = [[0.1, 0.2, 0.4, 0.3], [0.0, 0.5, 0.25, 0.25]]
full = (WEIGHTS, SMOOTHING, ZETA)
show("images", [z for row in ROWS for z in transform(row)])
both("log-sum-exp", [lambda row: lse(transform(row))] * 2)
both("negative log-probability", [lambda row, q=q: target_loss(row, q) for q in one_hot])
both("entropy", [entropy] * 2)
both("everything, hard", [lambda row, q=q: target_loss(row, q, *full) for q in one_hot])
both("everything, soft", [lambda row, q=q: target_loss(row, q, *full) for q in soft])

# Where the tangent has rounded to 1: x / c is -36, 0 and 20.
CAP, TAU = mpf(5), mpf(1)
row = [-180.0, 0.0, 100.0]
z = transform(row)
p = [exp(x - lse(z)) for x in z]
show("tails", [(p[v] - (v == 0)) / cosh(mpf(row[v]) / CAP) ** 2 for v in range(3)])
CAP, TAU = mpf(30), mpf(2)
row = [10.0, -5.0, 40.0]
show("example", [transform(row)[0] - lse(transform(row))])
