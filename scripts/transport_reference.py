"""Prints the values that the tests of `transport` expect.

Needs mpmath 1.4, numpy, scipy and POT 0.9.7. Nothing here shares code with the crate: distances come from POT and from
scipy's linear programmes, plans of entropic transport from POT, its values and EMO with its gradient from mpmath with
40 digits.
"""

import mpmath as mp
import numpy as np
import ot
from scipy.optimize import linprog

mp.mp.dps = 40
EPSILON = mp.mpf(10) ** -10


def text(value):
    return mp.nstr(value, 17)


def transport(cost, left, right):
    """The least cost of moving `left` onto `right`."""
    n, m = cost.shape
    rows = np.kron(np.eye(n), np.ones(m))
    columns = np.kron(np.ones(n), np.eye(m))
    result = linprog(cost.ravel(), A_eq=np.vstack([rows, columns]), b_eq=np.concatenate([left, right]), method="highs")
    return result.fun


def line():
    x, a = np.array([0.7, -1.2, 3.5, 0.7, 2.25]), np.array([0.1, 0.3, 0.05, 0.35, 0.2])
    y, b = np.array([1.5, -0.25, 0.7, -2.0]), np.array([0.25, 0.15, 0.4, 0.2])
    for p in (1, 1.5, 2, 3.7, 10):
        cost = abs(x[:, None] - y[None]) ** p
        even = np.full(5, 0.2), np.full(4, 0.25)
        print(f"p = {p}: weighted {ot.wasserstein_1d(x, y, a, b, p=p)!r}, programme {transport(cost, a, b)!r}")
        print(f"    uniform {ot.wasserstein_1d(x, y, p=p)!r}, programme {transport(cost, *even)!r}")
    for mass in (1, 2):
        print(f"POT, both totals {mass}:", ot.wasserstein_1d(x, y, mass * a, mass * b, p=1))


def circle():
    x, a = np.array([0.7, -1.2, 3.5, 0.7, 2.25]), np.array([0.1, 0.3, 0.05, 0.35, 0.2])
    y, b = np.array([1.5, -0.25, 0.7, -2.0]), np.array([0.25, 0.15, 0.4, 0.2])
    even = np.full(5, 0.2), np.full(4, 0.25)
    for p in (1, 1.5, 2, 3.7):
        turn = abs(x[:, None] - y[None]) % 1
        cost = np.minimum(turn, 1 - turn) ** p
        for left, right in ((a, b), even):
            peer = ot.wasserstein_circle(x % 1, y % 1, left, right, p=p)
            print(f"circle, p = {p}: POT {np.ravel(peer)[0]!r}, programme {transport(cost, left, right)!r}")


def sliced():
    x = np.array([[0.5, -1.0, 2.0], [1.5, 0.25, -0.75], [-2.0, 1.0, 0.5], [0.0, 3.0, -1.5]])
    y = np.array([[1.0, 1.0, -1.0], [-0.5, 2.0, 0.25], [2.5, -1.25, 0.0]])
    a, b = np.array([0.1, 0.4, 0.2, 0.3]), np.array([0.5, 0.2, 0.3])
    directions = np.array([[3.0, 4.0, 0.0], [0.0, -1.0, 0.0], [1.0, 2.0, 2.0], [2.0, -3.0, 6.0]])
    units = (directions / np.linalg.norm(directions, axis=1, keepdims=True)).T
    for p in (1, 2, 3):
        weighted = ot.sliced_wasserstein_distance(x, y, a, b, projections=units, p=p) ** p
        uniform = ot.sliced_wasserstein_distance(x, y, projections=units, p=p) ** p
        largest = ot.max_sliced_wasserstein_distance(x, y, a, b, projections=units, p=p) ** p
        print(f"sliced, p = {p}: weighted {weighted!r}, uniform {uniform!r}, largest {largest!r}")


def emo(logits, target, cost):
    """M, D, and factor, loss and gradient of both modes; the gradient of the target without cancellation."""
    total = sum(mp.exp(z) for z in logits)
    q = [mp.exp(z) / total for z in logits]
    others = sum(p for k, p in enumerate(q) if k != target)
    nll = mp.log1p(others / q[target])
    mean = sum(p * c for p, c in zip(q, cost))
    likelihood = [-others if k == target else p for k, p in enumerate(q)]
    moved = [p * (c - mean) for p, c in zip(q, cost)]
    one, two = nll / (mean + EPSILON), mean / (nll + EPSILON)
    return {
        "M": nll,
        "D": mean,
        "w1": one,
        "w2": two,
        "L1": (nll + one * mean) / 2,
        "L2": two * nll + mean,
        "g1": [(l + one * d) / 2 for l, d in zip(likelihood, moved)],
        "g2": [two * l + d for l, d in zip(likelihood, moved)],
    }


def show(name, values):
    for key, value in values.items():
        print(name, key, [text(v) for v in value] if isinstance(value, list) else text(value))


def five_tokens():
    embeddings = [[mp.sin(1 + 3 * i + j * j) for j in range(3)] for i in range(5)]

    def dot(u, v):
        return sum(a * b for a, b in zip(u, v))

    def cost(i, j):
        u, v = embeddings[i], embeddings[j]
        return mp.mpf(0) if i == j else 1 - dot(u, v) / mp.sqrt(dot(u, u) * dot(v, v))

    for n, target in enumerate((4, 0, 2)):
        logits = [mp.mpf(3) / 10 * mp.cos(2 * n + 5 * k) + mp.mpf(k) / 10 for k in range(5)]
        costs = [cost(k, target) for k in range(5)]
        show(f"row {n}", emo(logits, target, costs))
        q = np.exp(np.array([float(z) for z in logits]))
        matrix = np.array([[float(cost(i, j)) for j in range(5)] for i in range(5)])
        print(f"row {n} programme", transport(matrix, q / q.sum(), np.eye(5)[target]))


def certain():
    for logit in (20, 40, 300):
        show(f"logit {logit}", emo([mp.mpf(logit), mp.mpf(0), mp.mpf(0)], 0, [mp.mpf(0), mp.mpf(2) / 10, mp.mpf(1)]))


def entropic(x, y, a, b, epsilon, cost, rho=None):
    """The dual value of entropic transport by plain rounds with 40 digits."""
    epsilon, a, b = mp.mpf(epsilon), [mp.mpf(w) for w in a], [mp.mpf(w) for w in b]
    if rho is None:
        b = [w * (sum(a) / sum(b)) for w in b]  # doubles have one total only nearly
    kernel = mp.matrix([[mp.exp(-mp.mpf(float(cost(p, q))) / epsilon) for q in y] for p in x])
    damping = 1 if rho is None else mp.mpf(rho) / (mp.mpf(rho) + epsilon)
    u, v, moved = mp.ones(len(a), 1), mp.ones(len(b), 1), 1  # e^(f / epsilon) and e^(g / epsilon)
    while moved > mp.mpf(10) ** -24:
        before = u
        u = (kernel * mp.matrix([w * e for w, e in zip(b, v)])).apply(lambda sum: sum**-damping)
        v = (kernel.T * mp.matrix([w * e for w, e in zip(a, u)])).apply(lambda sum: sum**-damping)
        moved = max(abs(now / then - 1) for now, then in zip(u, before))
    f, g = [epsilon * mp.log(e) for e in u], [epsilon * mp.log(e) for e in v]
    if rho is None:
        return sum(w * u for w, u in zip(a, f)) + sum(w * v for w, v in zip(b, g))
    plan = sum(p * u[i] * kernel[i, j] * v[j] * q for i, p in enumerate(a) for j, q in enumerate(b))
    gains = sum(w * rho * (1 - mp.exp(-u / rho)) for w, u in [*zip(a, f), *zip(b, g)])
    return gains - epsilon * (plan - sum(a) * sum(b))


def sinkhorn():
    """Plans of POT; values and divergences of the rounds above."""
    x = np.array([[0.0, 0.0], [1.0, 0.5], [0.25, 2.0], [-1.0, 1.5]])
    y = np.array([[0.5, 0.5], [2.0, 1.0], [-0.5, 0.25]])
    a, b = np.array([0.1, 0.4, 0.3, 0.2]), np.array([0.5, 0.2, 0.3])
    squared = ot.dist(x, y)
    print("plan", ot.sinkhorn(a, b, squared, 0.5, method="sinkhorn_log", stopThr=1e-15, numItermax=100_000).ravel())
    options = {"reg_type": "kl", "stopThr": 1e-16, "numItermax": 200_000}
    print("unbalanced", ot.unbalanced.sinkhorn_unbalanced(2 * a, 0.7 * b, squared, 0.3, 2.5, **options).ravel())
    grounds = {
        "squared": lambda p, q: ((p - q) ** 2).sum(),
        "euclidean": lambda p, q: np.sqrt(((p - q) ** 2).sum()),
        "manhattan": lambda p, q: abs(p - q).sum(),
    }

    def both(left, right, epsilon, cost, rho=None):
        value = entropic(x, y, left, right, epsilon, cost, rho)
        alone = entropic(x, x, left, left, epsilon, cost, rho) + entropic(y, y, right, right, epsilon, cost, rho)
        surplus = 0 if rho is None else mp.mpf(epsilon) / 2 * mp.mpf(left.sum() - right.sum()) ** 2
        return text(value), text(value - alone / 2 + surplus)

    for name, cost in grounds.items():
        print(name, *both(a, b, 0.5, cost))
    print("unbalanced", *both(2 * a, 0.7 * b, 0.3, grounds["squared"], 2.5))
    print("unbalanced, equal totals", text(entropic(x, y, a, b, 0.5, grounds["squared"], 1.0)))


line()
circle()
sliced()
five_tokens()
certain()
sinkhorn()
