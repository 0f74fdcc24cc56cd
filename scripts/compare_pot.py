"""Times `ot.emd2` of POT on the problems of the bench `transport`, and compares with what criterion measured.

Needs numpy and POT 0.9.7, in an environment of its own:

    python -m venv pot && pot/bin/pip install POT==0.9.7.post1
    cargo bench --bench transport -- emd/
    OMP_NUM_THREADS=1 pot/bin/python scripts/compare_pot.py

For each problem it prints the least of the times that POT takes, this crate's (median of criterion), and the ratio of
the two (above 1: this crate is faster). Both run on one thread. An argument names another folder of criterion's results.
Not part of the checks.
"""

import json
import pathlib
import sys
import time

import numpy as np
import ot

RESULTS = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "target/criterion") / "emd"


def noise(i):
    """As in the bench: scattered over [0, 1)."""
    i = np.asarray(i, dtype=float)
    return np.modf(i * 0.618033988749895)[0] * np.abs(np.modf(np.sin(i * 12.9898) * 43758.545)[0])


def problem(n):
    index = 2 * np.arange(n)[:, None] + np.arange(2)
    x, y = noise(index), noise(index + 11 * n)
    cost = ((x[:, None] - y[None]) ** 2).sum(-1)
    mass = 0.1 + noise(np.arange(n) + 3 * n)
    even = np.full(n, 1 / n)
    return cost, {"even_matrix": even, "weighted_matrix": mass / mass.sum(), "weighted_points": mass / mass.sum()}, even


def least_time(call, repeats=7):
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


print(f"{'problem':<24}{'POT (ms)':>10}{'ours (ms)':>11}{'POT / ours':>12}   value of POT")
for n in (256, 512, 1000):
    cost, sources, even = problem(n)
    for name, a in sources.items():
        def call():
            # Of points POT is given the matrix all the same: forming it is no part of what is compared.
            return ot.emd2(a, even, cost, numItermax=10_000_000)

        theirs = 1e3 * least_time(call)
        estimate = RESULTS / name / str(n) / "new" / "estimates.json"
        ours = json.loads(estimate.read_text())["median"]["point_estimate"] / 1e6 if estimate.exists() else float("nan")
        print(f"{name + ' ' + str(n):<24}{theirs:>10.2f}{ours:>11.2f}{theirs / ours:>12.2f}   {call():.15g}")
