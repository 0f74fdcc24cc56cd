#!/usr/bin/env python3
"""Exact values of the pair losses, as they stand in the tests of src/preference/, at 60 digits.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install mpmath && /tmp/venv/bin/python scripts/pair_reference.py

Inputs are the doubles nearest to what is written; derivatives are closed forms where mpmath would have to difference.
"""

from mpmath import e, exp, expm1, log, log1p, mp, mpf, nstr

mp.dps = 60


def show(*row):
    print("    (" + ", ".join(nstr(x, 17, min_fixed=-4, max_fixed=6) if isinstance(x, mpf) else repr(x) for x in row) + "),")


def softplus(x):
    return log1p(exp(x)) if x < 0 else x + log1p(exp(-x))


def sigmoid(x):
    return 1 / (1 + exp(-x))


def dpo(beta, eps, margin):
    b, p, z = mpf(beta), mpf(eps), mpf(beta) * mpf(margin)
    show(beta, eps, margin, (1 - p) * softplus(-z) + p * softplus(z), b * (p * sigmoid(z) - (1 - p) * sigmoid(-z)))


def jensen_shannon(ratio):
    x = mpf(ratio)
    show(ratio, log(sigmoid(x)) + log(mpf(2)), sigmoid(-x))


def odds_ratio(w, l):
    a, b = mpf(w), mpf(l)
    p, q, not_p, not_q = exp(a), exp(b), -expm1(a), -expm1(b)
    d = p * not_q + q * not_p
    show(w, l, log1p(q * not_p / (p * not_q)), -q / d, q * not_p / d / not_q)


print("dpo: beta, label_smoothing, margin, loss, slope")
for case in [(0.1, 0.0, 1.25), (0.1, 0.1, 1.25), (0.5, 0.0, -3.0), (0.1, 0.0, 1000.0), (0.1, 0.0, -1000.0), (0.1, 0.1, 1000.0),
             (0.1, 0.1, -1000.0), (0.1, 0.0, 7000.0), (2.0, 0.25, 0.001), (0.05, 0.4, 30.0)]:
    dpo(*case)
print("jensen_shannon: ratio, score, slope")
for ratio in (0.0, 1e-9, -1e-9, 0.5, -1.25, 1.5, -4.0, 30.0, -30.0, 1000.0, -1000.0):
    jensen_shannon(ratio)
print("odds ratio: log p_w, log p_l, loss, d/dw, d/dl")
for pair in [(-1e-12, -1.0), (-1.0, -1e-12), (-1e-12, -1e-12), (-800.0, -1.0), (-800.0, -801.0), (-1e-30, -800.0), (-1e-30, -1e-30),
             (-1e-30, -1e-29), (-1e4, -9999.0), (-0.1, -5.0), (-1.25, -1.1875), (-0.7, -0.7)]:
    odds_ratio(*pair)
