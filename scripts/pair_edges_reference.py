#!/usr/bin/env python3
"""Exact losses and gradients of pairs where floating-point code breaks: writes the outputs of tests/golden/*.edges.json.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install mpmath numpy && /tmp/venv/bin/python scripts/pair_edges_reference.py

Inputs and parameters are read from the files. A thousand digits, so that differences show slopes of 1e-347 beside a loss of 1.
"""

import sys
from pathlib import Path

from mpmath import diff, exp, expm1, log, log1p, mp, mpf

sys.path.append(str(Path(__file__).parent / "golden"))
import numpy as np
import schema

mp.dps = 1000
GOLDEN = Path(__file__).parents[1] / "tests" / "golden"


def softplus(x):
    return log1p(exp(x)) if x < 0 else x + log1p(exp(-x))


def sigmoid(x):
    return 1 / (1 + exp(-x))


# Of the rewards of both responses, beta times their log-ratios.
def apo_zero(w, l):
    return sigmoid(-w) + sigmoid(l)


def bco_pair(w, l):
    return softplus(-w) + softplus(l)


def discopop(w, l, discopop_tau):
    x = w - l
    share = sigmoid(x / discopop_tau)
    return (1 - share) * softplus(-x) + share * exp(-x)


def dpo(w, l):
    return softplus(l - w)


def nca_pair(w, l):
    return softplus(-w) + (softplus(w) + softplus(l)) / 2


def robust_dpo(w, l, label_smoothing):
    return ((1 - label_smoothing) * softplus(l - w) - label_smoothing * softplus(w - l)) / (1 - 2 * label_smoothing)


def odds(log_p):
    return log_p - log(-expm1(log_p))


def loss(objective, params, w, l, reference_w=0, reference_l=0):
    params = {name: mpf(str(value)) for name, value in params.items()}
    beta = params.pop("beta")
    if objective == "orpo_odds_ratio":
        return beta * softplus(odds(l) - odds(w))
    return globals()[objective](beta * (w - reference_w), beta * (l - reference_l), **params)


def outputs(objective, case):
    columns = ["policy_chosen_logps", "policy_rejected_logps", "reference_chosen_logps", "reference_rejected_logps"]
    x = [mpf(case.inputs[name].item()) for name in columns if name in case.inputs]
    at = lambda *x: loss(objective, case.params, *x)
    slope = lambda i: diff(lambda y: at(*x[:i], y, *x[i + 1:]), x[i])
    return {"loss": np.array(float(at(*x))), **{f"grad.{columns[i]}": np.array([float(slope(i))]) for i in range(2)}}


if __name__ == "__main__":
    for path in sorted(GOLDEN.glob("*.edges.json")):
        if path.name == "divergence.edges.json":
            continue
        file = schema.read(path)
        cases = [case._replace(outputs=outputs(file.objective, case)) for case in file.cases]
        source = "mpmath, 1,000 digits (scripts/pair_edges_reference.py)"
        schema.write(path, file._replace(cases=cases, source=source))
