#!/usr/bin/env python3
"""Exact divergences and gradients where floating-point code breaks, for tests/golden/divergence.edges.json.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install mpmath
    /tmp/venv/bin/python scripts/divergence_reference.py > tests/golden/divergence.edges.json

Values come from the defining formulas at 400 digits, in which nothing needs care; gradients are A - p ΣA with
A = p dD/dp. Gradients that are not finite are left out, for there the call is an error.
"""

import json

from mpmath import exp, inf, isfinite, log, mp, mpf, sqrt

mp.dps = 400


def softmax(row):
    top = max(row)
    terms = [exp(mpf(x) - mpf(top)) if x != float("-inf") else mpf(0) for x in row]
    return [t / sum(terms) for t in terms]


def times(a, b):
    """0 times anything is 0."""
    return mpf(0) if a == 0 else a * b


def ln(x):
    return log(x) if x > 0 else -inf


def kl_slopes(p, q):
    """Value, p dD/dp and q dD/dq."""
    return [(times(a, ln(a) - ln(b)), times(a, ln(a) - ln(b)) + a, -a) for a, b in zip(p, q)]


def reverse(slopes):
    return lambda p, q, **k: [(v, a, b) for v, b, a in slopes(q, p, **k)]


def mixture(p, q, wp, wq, sp, sq):
    found = []
    for a, b in zip(p, q):
        m = sp * a + sq * b
        la, lb = times(a, ln(a) - ln(m)), times(b, ln(b) - ln(m))
        spread = (wp * a + wq * b) / m if m > 0 else mpf(0)
        found.append((wp * la + wq * lb, wp * (la + a) - sp * a * spread, wq * (lb + b) - sq * b * spread))
    return found


def amari(p, q, alpha):
    if alpha == 1:
        return kl_slopes(p, q)
    if alpha == 0:
        return reverse(kl_slopes)(p, q)
    a = mpf(alpha)
    found = []
    for x, y in zip(p, q):
        s = power(x, y, a)
        found.append(((s - a * x - (1 - a) * y) / (a * (a - 1)), s / (a - 1), -s / a))
    return found


def power(x, y, a):
    """x^a y^(1-a) with the limits of the measure-theoretic convention."""
    if x == 0 and y == 0:
        return mpf(0)
    if x == 0:
        return mpf(0) if a > 0 else inf
    if y == 0:
        return mpf(0) if a < 1 else inf
    return exp(a * log(x) + (1 - a) * log(y))


def jsd(p, q, beta, swapped):
    b = mpf(beta)
    if beta == 0:
        return kl_slopes(p, q)
    if beta == 1:
        return reverse(kl_slopes)(p, q)
    return mixture(p, q, 1 - b, b, b, 1 - b) if swapped else mixture(p, q, b, 1 - b, b, 1 - b)


def pearson(p, q):
    found = []
    for a, b in zip(p, q):
        if b == 0:
            found.append((mpf(0),) * 3 if a == 0 else (inf, inf, -inf))
        else:
            found.append(((a - b) ** 2 / b, 2 * a * a / b, -a * a / b))
    return found


def le_cam(p, q):
    found = []
    for a, b in zip(p, q):
        s = a + b
        u = (a - b) / s if s > 0 else mpf(0)
        found.append(((a - b) * u / 2, a * u * (2 - u) / 2, -b * u * (2 + u) / 2))
    return found


def hellinger(p, q):
    return [((sqrt(a) - sqrt(b)) ** 2 / 2, -sqrt(a * b) / 2, -sqrt(a * b) / 2) for a, b in zip(p, q)]


def variation(p, q):
    sign = lambda x: (x > 0) - (x < 0)
    return [(abs(a - b) / 2, a * sign(a - b) / 2, -b * sign(a - b) / 2) for a, b in zip(p, q)]


def renyi(p, q, alpha):
    a = mpf(alpha)
    if alpha == 1:
        return kl_slopes(p, q)
    terms = [power(x, y, a) for x, y in zip(p, q)]
    total = sum(terms)
    value = ln(total) / (a - 1) if total != inf else inf
    slopes = [(a / (a - 1) * s / total, -s / total) if isfinite(total) and total > 0 else (inf, inf) for s in terms]
    return [(value if i == 0 else mpf(0), x, y) for i, (x, y) in enumerate(slopes)]


def rows(kind, p, q, params):
    if kind.startswith("f_"):  # by its generator
        return rows(kind[2:], p, q, params)
    if kind == "kl":
        return kl_slopes(p, q)
    if kind == "reverse_kl":
        return reverse(kl_slopes)(p, q)
    if kind == "jensen_shannon":
        return jsd(p, q, 0.5, False)
    if kind == "generalised_jsd":
        return jsd(p, q, params["beta"], False)
    if kind == "interpolated_jsd":
        return jsd(p, q, params["beta"], True)
    if kind == "amari":
        return amari(p, q, params["alpha"])
    if kind == "renyi":
        return renyi(p, q, params["alpha"])
    return {
        "pearson": pearson,
        "neyman": reverse(pearson),
        "mixture_chi_square": le_cam,
        "hellinger": hellinger,
        "total_variation": variation,
    }[kind](p, q)


def number(x):
    return {"inf": "inf", "-inf": "-inf", "nan": "nan"}.get(str(float(x)), float(x))


def array(values, shape):
    return {"shape": shape, "data": [number(x) for x in values]}


def case(name, kind, params, x, y, rtol, atol):
    classes = len(x)
    p, q = softmax(x), softmax(y)
    found = rows(kind, p, q, params)
    value = sum((v for v, _, _ in found), mpf(0))
    outputs = {"out": array([value], [1])}
    for key, probs, slopes in (("grad.p_logits", p, [f[1] for f in found]), ("grad.q_logits", q, [f[2] for f in found])):
        if all(isfinite(s) for s in slopes):
            centre = sum(slopes, mpf(0))
            outputs[key] = array([s - pr * centre for s, pr in zip(slopes, probs)], [1, classes])
    return {
        "id": f"{kind} {json.dumps(params)} {name}" if params else f"{kind} {name}",
        "params": {"kind": kind, **params},
        "inputs": {"p_logits": array(x, [1, classes]), "q_logits": array(y, [1, classes])},
        "outputs": outputs,
        "rtol": rtol,
        "atol": atol,
    }


KINDS = [("kl", {}), ("reverse_kl", {}), ("jensen_shannon", {}), ("pearson", {}), ("neyman", {}), ("mixture_chi_square", {})]
KINDS += [("hellinger", {}), ("total_variation", {})]
KINDS += [("generalised_jsd", {"beta": b}) for b in (0, 1e-6, 0.3, 1)]
KINDS += [("interpolated_jsd", {"beta": b}) for b in (0, 1e-9, 0.3, 0.75, 1)]
KINDS += [("amari", {"alpha": a}) for a in (-1.5, -1e-9, 0, 1e-7, 0.3, 0.5, 1 - 1e-10, 1, 1.000001, 3)]
KINDS += [("renyi", {"alpha": a}) for a in (1e-3, 0.5, 1 - 1e-10, 1, 1.000001, 2, 7.5)]

NONE = float("-inf")
# Dyadic numbers, whose differences are exact in both types where they are to be.
INPUTS = [
    ("ordinary", [1.5, -0.25, 0.0, 2.0, -3.0], [0.5, 1.0, -1.25, 0.75, -2.0], 1e-12),
    ("shifted by a thousand", [1001.5, 999.75, 1000.0, 1002.0, 997.0], [0.5, 1.0, -1.25, 0.75, -2.0], 1e-12),
    # The last class, which has no mass, keeps this from f32: its sums of exponentials are good to 1e-8.
    ("almost equal", [1.5, -0.25, 0.0, 2.0, -1e300], [1.5 + 2**-30, -0.25, -(2**-31), 2.0 - 2**-30, -1e300], 1e-9),
    ("equal to a part in a thousand", [1.5, -0.25, 0.0, 2.0], [1.5 + 2**-10, -0.25, 2**-11, 2.0 - 2**-10], 1e-11),
    ("one class certain", [40.0, 0.0, -1.0], [38.0, 0.5, -1.0], 1e-12),
    ("opposed", [30.0, 0.0, -2.0], [0.0, 30.0, -1.0], 1e-12),
    ("far apart", [700.0, 0.0, -2.0], [0.0, 1.0, -700.0], 1e-12),
    ("a class that q has not", [0.5, 1.0, -1.0], [0.25, NONE, 1.0], 1e-12),
    ("a class that p has not", [0.5, NONE, -1.0], [0.25, 2.0, 1.0], 1e-12),
    ("a class that neither has", [0.5, NONE, -1.0], [0.25, NONE, 1.0], 1e-12),
    ("no class in common", [0.5, NONE, -1.0], [NONE, 2.0, NONE], 1e-12),
    ("logits of ten thousand", [1e4, -1e4, 0.0], [-1e4, 1e4, 0.0], 1e-12),
]


def fits(found):
    """Whether the value is a double, or exactly infinite."""
    value = found["outputs"]["out"]["data"][0]
    return True if value != "inf" else found["inputs"]["q_logits"]["data"].count("-inf") + found["inputs"]["p_logits"]["data"].count("-inf") > 0


cases = []
for kind, params in KINDS:
    for name, x, y, rtol in INPUTS:
        if kind == "amari" and 0 < abs(params["alpha"] - 1) < 1e-6 and name == "no class in common":
            continue  # slopes of 1e10 that cancel
        if kind == "total_variation" and name == "almost equal":
            rtol = 1e-7  # of first order in the difference, which normalisers know to this
        # Where slopes of like sign cancel, or are as large as 1 / alpha, what is left is good to the slopes' own digits.
        atol = {"total_variation": 1e-30}.get(kind, 1e-16 if name == "no class in common" and kind == "amari" else 0)
        found = case(name, kind, params, x, y, rtol, atol)
        sides = [k for k in ("grad.p_logits", "grad.q_logits") if "inf" in found["outputs"].get(k, {"data": []})["data"] or "-inf" in found["outputs"].get(k, {"data": []})["data"]]
        if not fits(found) or sides:
            continue  # beyond the range of a double: an error, which tests/integration/errors.rs looks at
        cases.append(found)

# By generators: a class of one side alone, and ratios far beyond the type.
for kind in ("kl", "reverse_kl", "jensen_shannon", "pearson", "neyman", "hellinger", "total_variation"):
    for name, x, y, rtol in INPUTS:
        if name in ("ordinary", "a class that q has not", "a class that p has not"):
            cases.append(case(name, "f_" + kind, {}, x, y, rtol, 1e-15))
        if name == "far apart" and kind in ("kl", "reverse_kl"):
            cases.append(case(name, "f_" + kind, {}, x, y, rtol, 1e-12))

# Where all terms of a Rényi divergence share a number beside which what tells them apart is next to nothing.
for name, alpha, x, y in (
    ("two of one side far from the other", 2, [0.0, 0.0], [1e300, 0.0]),
    ("three of one side far from the other", 2, [0.0, 0.0, 1.0], [1e300, 0.0, 0.0]),
    ("certain of two classes", 0.5, [2.0**100, 0.0], [0.0, 2.0**100]),
    ("a gap of 745", 2, [0.0, 0.0, -1.0], [745.0, 0.0, 1.0]),
    ("a gap of 300", 7.5, [1.5, 0.0, -1.0], [300.0, 2.0, 1.0]),
):
    cases.append(case(name, "renyi", {"alpha": alpha}, x, y, 1e-12, 1e-15))

print('{ "schema": "loglik-golden/1", "objective": "divergence", "source": "mpmath with 400 digits", "cases": [')
print(",\n".join(json.dumps(c) for c in cases))
print("] }")
