"""Prints the values that the tests of `ratio::density` expect: KLIEP by SciPy's SLSQP."""

import numpy as np
from scipy.optimize import minimize

REAL = np.array([[0.9, 0.1, 0.3], [0.8, 0.3, 0.2], [0.2, 0.9, 0.4], [0.5, 0.5, 0.9], [0.7, 0.2, 0.1]])
FAKE = np.array([[0.6, 0.4, 0.5], [0.5, 0.6, 0.3], [0.7, 0.2, 0.5], [0.8, 0.5, 0.2]])


def fit(real):
    mean = FAKE.mean(0)
    best = minimize(
        lambda theta: -np.log(real @ theta).mean(),
        np.full(3, 1 / mean.sum()),
        jac=lambda theta: -(real / (real @ theta)[:, None]).mean(0),
        bounds=[(0, None)] * 3,
        constraints={"type": "eq", "fun": lambda theta: mean @ theta - 1, "jac": lambda theta: mean},
        method="SLSQP",
        options={"ftol": 1e-16, "maxiter": 1000},
    )
    return best.x, -best.fun


def cross_validated():
    held = []
    for i in range(len(REAL)):
        theta, _ = fit(np.delete(REAL, i, 0))
        held.append(np.log(REAL[i] @ theta))
    return np.mean(held)


theta, log_likelihood = fit(REAL)
print("coefficients", theta.tolist(), "log-likelihood", repr(float(log_likelihood)))
print("cross-validated", repr(float(cross_validated())))
