#!/usr/bin/env python3
"""Exact values of the functions of both sides, as they stand in the tests of src/preference/, at 400 digits.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install mpmath && /tmp/venv/bin/python scripts/side_reference.py

Each objective is written down once, as the formula of its paper; slopes are mpmath's own derivatives. Inputs are the
doubles nearest to what is written, and so are hyper-parameters.
"""

from mpmath import diff, exp, log, log1p, mp, mpf

mp.dps = 400


def sp(x):
    return log1p(exp(x))


def sigma(x):
    return 1 / (1 + exp(-x))


def below(x):
    """max(0, -x)"""
    return max(mpf(0), -x)


def odds(x):
    return x - log(1 - exp(x))


B, HALF = mpf(0.1), mpf(0.5)


def nca(a, b):
    return sp(-B * a) + HALF * sp(B * a) + HALF * sp(B * b)


def bco(a, b):
    return sp(mpf(0.25) - B * a) + sp(B * b - mpf(0.25))


def apo_zero(a, b):
    return 1 - sigma(B * a) + sigma(B * b)


def apo_down(a, b):
    return sigma(B * a) + 1 - sigma(B * (a - b))


def asft(beta):
    return lambda w, l: sp(-mpf(beta) * odds(w)) + sp(mpf(beta) * odds(l))


def cal(a, b):
    aim = mpf(0.5 / 0.1)  # as the crate rounds it
    return sp(b - a) + HALF * (a - aim) ** 2 + HALF * (b + aim) ** 2


def dpop_inside(a, b):
    return sp(-B * (a - b - 5 * below(a)))


def dpop_outside(a, b):
    return sp(-B * (a - b)) + 5 * below(a)


def tpo(w, l):
    beta, gamma, eps = mpf(0.25), mpf(0.5), mpf(0.125)
    z = beta * (w / 4 - l / 8) - gamma
    return (1 - eps) * sp(-z) + eps * sp(z) + mpf(0.75) * mpf(2.5)


def bradley_terry(w, l):
    return sp(-(w - l - HALF)) + mpf(0.01) * (w + l) ** 2


def scaled(w, l):
    return 3 * sp(-(w - l)) + mpf(0.01) * (w + l) ** 2


def number(x):
    """The double nearest to it, with as many digits as it takes; 0 below the normal numbers."""
    text = repr(float(x) if abs(x) > mpf(10) ** -307 else 0.0)
    head, e, exponent = text.partition("e")
    whole, dot, digits = head.partition(".")
    digits = "_".join(digits[i : i + 3] for i in range(0, len(digits), 3))
    whole = f"{int(whole):_}" if len(digits) > 3 and not whole.startswith("-0") else whole
    return whole + (dot + digits if dot else "" if e else ".0") + e + exponent


def show(name, loss, pairs, row=lambda w, l: f"ratios({w!r}, {l!r})"):
    print(f"== {name}")
    for w, l in pairs:
        def along(side):
            # A step far below the distance to a kink or to 0, where these losses are analytic.
            step = mpf(10) ** -100 * min(1, abs(mpf(w)) or 1, abs(mpf(l)) or 1)
            moved = (lambda x: loss(x, mpf(l))) if side == 0 else (lambda x: loss(mpf(w), x))
            slope = diff(moved, mpf((w, l)[side]), h=step, relative=False)
            return mpf(0) if abs(slope) < mpf(10) ** -200 else slope  # what rounding leaves of nothing

        print(f"        ({row(w, l)}, [{', '.join(number(x) for x in (loss(mpf(w), mpf(l)), along(0), along(1)))}]),")


RATIOS = [(2.5, 1.75), (-3.0, 4.0), (300.0, -300.0), (-1000.0, 1000.0), (1e-8, -1e-8), (30.0, -70.0)]
LOGS = [(-1.25, -1.1875), (-1e-8, -1.0), (-1e-12, -3.0), (-1.0, -1e-12), (-800.0, -1.0), (-1e4, -1e4), (-0.7, -0.001)]

show("nca_pair", nca, RATIOS)
show("bco_pair", bco, RATIOS)
show("apo_zero", apo_zero, RATIOS)
show("apo_down", apo_down, [(0.5, -4.0) if pair[0] == 1e-8 else pair for pair in RATIOS])
show("asft", asft(1), LOGS)
show("asft_steep", asft(2.5), LOGS)
show("asft_flat", asft(0.5), LOGS)
print("== simper")
for w, n, l, k in [(-12.5, 10.0, -14.25, 12.0), (-1e-8, 1.0, -1e4, 7.0), (-3.0, 64.0, -0.25, 2.0)]:
    p, q = exp(mpf(w) / n), exp(mpf(l) / k)
    print(f"        (long({w!r}, {n!r}, {l!r}, {k!r}), [{number(q - p)}, {number(-p / n)}, {number(q / k)}]),")
show("cal_dpo", cal, RATIOS)
show("dpop", dpop_inside, RATIOS)
show("dpop_outside", dpop_outside, RATIOS)
show("tpo", tpo, [(-12.5, -14.25), (-8.0, -20.0), (-1e4, -1e-8)], lambda w, l: f"triple({w!r}, {l!r})")
show("bradley_terry", bradley_terry, [(2.5, 1.75), (-3.0, 4.0), (1000.0, -1000.0), (-1000.0, 1000.0), (0.25, 0.25)],
     lambda w, l: f"scores({w!r}, {l!r}, 0.5)")
show("scaled", scaled, [(2.5, 1.75), (-3.0, 4.0), (1000.0, -1000.0)], lambda w, l: f"scores({w!r}, {l!r}, 3.0)")
show("process", lambda w, l: mpf(0.75) * sp(l - w) + mpf(0.25) * sp(w - l), RATIOS[:4],
     lambda w, l: f"step({w!r}, {l!r}, 0.75)")
