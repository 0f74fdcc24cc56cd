#!/usr/bin/env python3
"""Exact values of the functions of the margin, as they stand in the tests of src/preference/pairwise/, from 420 digits.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install mpmath && /tmp/venv/bin/python scripts/margin_reference.py

Each objective is written down once, as the formula of its paper; slopes are mpmath's own derivatives. Inputs are the
doubles nearest to what is written.
"""

from mpmath import diff, exp, log, log1p, mp, mpf, nstr

mp.dps = 420

# The three pairs of the tests: policy, reference and lengths of both sides.
POLICY = [(-12.5, -14.25), (-30.25, -28.5), (-8.0, -20.0)]
REFERENCE = [(-13.0, -13.5), (-29.0, -29.75), (-9.5, -16.0)]
LENGTHS = [(10, 12), (24, 20), (6, 16)]


def sp(x):
    return log1p(exp(x))


def sigma(x):
    return 1 / (1 + exp(-x))


def kl(p, q):
    """Of two Bernoulli distributions by their logits."""
    return sigma(p) * (sp(-q) - sp(-p)) + sigma(-p) * (sp(q) - sp(p))


def smooth(z, eps):
    return (1 - mpf(eps)) * sp(-z) + mpf(eps) * sp(z)


def number(x):
    if x == 0:
        return "0.0"
    text = nstr(mpf(x), 17, min_fixed=-4, max_fixed=12)
    return text if "e" in text or "." in text else text + ".0"


def results(loss, w, l):
    at = lambda a, b: loss(mpf(a), mpf(b))
    by_w = diff(lambda a: at(a, l), mpf(w), h=mpf(10) ** -130)
    by_l = diff(lambda b: at(w, b), mpf(l), h=mpf(10) ** -130)
    small = lambda x: mpf(0) if abs(x) < mpf(10) ** -240 else x  # what differencing leaves of nothing
    return [at(w, l), small(by_w), small(by_l)]


def block(name, rows):
    print(f"== {name}")
    for row in rows:
        print(row)


def three(name, loss):
    """Rows for the three pairs, of a loss of everything: policy, reference, lengths."""
    rows = []
    for (w, l), r, n in zip(POLICY, REFERENCE, LENGTHS):
        values = results(lambda a, b: loss(a, b, mpf(r[0]), mpf(r[1]), *n), w, l)
        rows.append("[" + ", ".join(map(number, values)) + "],")
    block(name, rows)


def of_ratios(name, loss, pairs):
    rows = []
    for w, l in pairs:
        values = results(loss, w, l)
        rows.append(f"(ratios({number(w)}, {number(l)}), [" + ", ".join(map(number, values)) + "]),")
    block(name, rows)


def with_more(name, function, loss, cases):
    """Rows of a margin (against 0) and further numbers, by a helper of the test."""
    rows = []
    for margin, *more in cases:
        values = results(lambda a, b: loss(a - b, *map(mpf, more)), margin, 0)
        arguments = ", ".join(map(number, [margin, *more]))
        rows.append(f"({function}({arguments}), [" + ", ".join(map(number, values)) + "]),")
    block(name, rows)


MARGINS = [(1.25, 0.0), (-1.5, 1.0), (0.0, 0.0), (60.0, 0.0), (-60.0, 0.0), (0.0, 1000.0), (1000.0, 0.0), (-1e-8, 0.0)]

block("divergence", [
    f"({number(p)}, {number(q)}, {number(kl(mpf(p), mpf(q)))}),"
    for p, q in [(0.5, -1.5), (-1.0, -0.75), (1.0, 1.0 + 2.0**-20), (-40.0, -39.75), (-40.0, 3.0), (-700.0, -1.0), (2.0, 700.0),
                 (0.0, 0.5), (0.0, -0.5), (0.0, 0.498046875), (0.0, -0.498046875), (-6.0, -5.501953125), (-6.0, -6.498046875),
                 (3.0, 60.0), (-0.0078125, 0.0078125)]
])

robust = lambda eps: lambda a, b: ((1 - mpf(eps)) * sp(-(a - b) / 2) - mpf(eps) * sp((a - b) / 2)) / (1 - 2 * mpf(eps))
of_ratios("robust", robust(0.25), MARGINS)
of_ratios("robust_edge", robust(0.499999999), MARGINS)


def exo(a, b):
    z, eps = (a - b) / 2, mpf(1e-3)
    return sigma(z) * (log(sigma(z)) - log(1 - eps)) + sigma(-z) * (log(sigma(-z)) - log(eps))


of_ratios("exo", exo, [*MARGINS, (13.75, 0.0), (13.875, 0.0), (14.5, 0.0), (0.0, 30.0)])


def discopop(tau):
    def loss(a, b):
        z = (a - b) / 2
        m = sigma(z / mpf(tau))
        return (1 - m) * sp(-z) + m * exp(-z)

    return loss


of_ratios("discopop", discopop(0.0625), [*MARGINS, (0.125, 0.0), (-0.25, 0.0), (0.0, 4.0)])
of_ratios("lrml", discopop(1.0), [*MARGINS, (0.125, 0.0), (-0.25, 0.0)])

three("cpo_mean", lambda w, l, r, q, n, k: smooth(2 * (w / n - l / k), 0.2))
block("cpo_ipo", [", ".join(map(number, results(lambda w, l: (w / 24 - l / 20 - 1) ** 2, -30.25, -28.5)))])
three("simpo", lambda w, l, r, q, n, k: smooth(mpf(2.5) * (w / n - l / k) - mpf(1.5), 0.1))


def alphapo(alpha, eps=0):
    reward = lambda x: (1 - exp(-mpf(alpha) * x)) / mpf(alpha)
    return lambda a, b: smooth(mpf(0.5) * (reward(a) - reward(b)) - mpf(0.5), eps)


of_ratios("alphapo", alphapo(0.25), [(-1.25, -2.0), (-2.0, -1.25), (0.0, -1e-8), (-1e-8, 0.0), (-3.0, -3.0), (-0.5, -40.0), (-20.0, -20.5), (-40.0, -0.5)])
of_ratios("alphapo_negative", alphapo(-0.5, 0.125), [(-1.25, -2.0), (-2.0, -1.25), (-1e4, -0.5), (-0.5, -1e4), (0.0, -1e-8)])
of_ratios("alphapo_small", alphapo(1e-9), [(-1.25, -2.0), (-2.0, -1.25), (-30.0, -0.25), (-1e4, -0.5)])

three("rdpo", lambda w, l, r, q, n, k: sp(-(mpf(0.1) * (w - r - l + q) + mpf(0.05) * (n - k))))

REWARDS = [(1.25, 2.0, 0.5), (-3.0, 4.0, 1.0), (40.0, 1.5, 1.25), (-1000.0, 3.0, 2.0), (0.5, 1.0, 0.9999847412109375)]
with_more("odpo_log", "rewarded", lambda m, s, t: sp(-(m / 2 - log(s - t))), REWARDS)
with_more("odpo_ratio", "rewarded", lambda m, s, t: sp(-(m / 2 - mpf(0.75) * log(s / t))), REWARDS)
with_more("odpo_difference", "rewarded", lambda m, s, t: sp(-(m / 2 - mpf(0.75) * (s - t))), [*REWARDS, (0.5, -2.0, 1.0)])


def chipo(beta, clip):
    def loss(w, l, r=0, q=0, *_):
        z = mpf(beta) * ((w - r) + exp(w - r) - (l - q) - exp(l - q))
        return sp(-max(-mpf(clip), min(mpf(clip), z)))

    return loss


three("chipo", chipo(0.1, 2))
of_ratios("chipo_more", chipo(0.5, 16), [(1.5, 1.25), (1.25, 1.5), (3.0, -50.0), (-50.0, 3.0), (-40.0, -41.0), (0.0, 1e-8)])

with_more("soft_dpo", "labelled", lambda m, p: p * sp(-m / 2) + (1 - p) * sp(m / 2),
          [(1.5, 0.75), (1.5, 0.0), (-40.0, 0.25), (1000.0, 0.75), (-1000.0, 0.75), (80.0, 1.0), (80.0, 0.0)])
GAPS = [(1.5, 2.0), (3.0, 1.9921875), (-2.0, 3.0), (90.0, 40.0), (-1000.0, 1.0), (1000.0, 1.0), (60.0, 40.25), (-60.0, -40.0), (-60.0, -40.25)]
with_more("rpo_backward", "rewarded", lambda m, t: kl(mpf(0.75) * t, m / 2), GAPS)
with_more("rpo_forward", "rewarded", lambda m, t: kl(m / 2, mpf(0.75) * t), GAPS)


def rao_kupper(nu):
    def loss(m, t):
        d, a = m / 2, log(mpf(nu))
        tie = 0 if t == 0 else -log((mpf(nu) ** 2 - 1) * sigma(d - a) * sigma(-d - a))
        return (1 - t) * sp(a - d) + t * tie

    return loss


def davidson(nu):
    def loss(m, t):
        d = m / 2
        z = 1 + exp(-d) + 2 * mpf(nu) * exp(-d / 2)
        tie = 0 if t == 0 else -log(2 * mpf(nu) * exp(-d / 2) / z)
        return (1 - t) * log(z) + t * tie

    return loss


TIES = [(1.4, 0.0), (-1.4, 0.0), (1.4, 1.0), (0.0, 1.0), (1e-8, 1.0), (-1.4, 0.25), (1000.0, 0.0), (-1000.0, 0.0), (1000.0, 1.0), (-1000.0, 1.0), (60.0, 0.0)]
with_more("rao_kupper", "tied", rao_kupper(3), TIES)
with_more("rao_kupper_near", "tied", rao_kupper(1 + 2.0**-10), TIES)
with_more("davidson", "tied", davidson(3), TIES)
with_more("davidson_plain", "tied", davidson(0), [case for case in TIES if case[1] == 0.0])

three("poft", lambda w, l, r, q, n, k: sp(-(2 * (w - r) / n + mpf(0.25))))
of_ratios("diffusion", lambda a, b: sp(1024 * (a - b)), [(0.0, 0.0), (0.0009765625, 0.0), (0.0, 0.0009765625), (0.5, 0.0), (0.0, 0.0625)])


def pso(a, b):
    clip = lambda x: max(log(mpf(0.75)), min(log(mpf(1.25)), x))
    return sp(-16 * (clip(a) - clip(b)))


of_ratios("pso", pso, [(0.125, -0.0625), (-0.25, 0.125), (0.25, 0.125), (0.125, -0.5), (1.0, -1.0), (-1000.0, 0.0)])
three("flex", lambda w, l, r, q, n, k: sp(-(mpf(0.1) * (w - r) - mpf(0.02) * (l - q))))
of_ratios("flex_more", lambda a, b: sp(-(a / 2 - b / 8)), [(1.25, 2.0), (-1000.0, 0.0), (0.0, 1000.0), (1000.0, 0.0)])
