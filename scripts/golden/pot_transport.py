"""Optimal transport by POT."""

import warnings

import numpy as np
import ot

from peer import POT, Peer


def wasserstein_1d(x, y, x_weights=None, y_weights=None, *, p=1):
    return {"out": np.asarray(ot.wasserstein_1d(x, y, x_weights, y_weights, p=p))}


def emd(a, b, cost):
    return {"out": np.asarray(ot.emd2(a, b, cost))}


def sinkhorn(a, b, cost, *, regularization):
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a plan that has not converged is no answer
        plan = ot.sinkhorn(a, b, cost, regularization, method="sinkhorn_log", stopThr=1e-13, numItermax=1_000_000)
    return {"plan": plan, "transport_cost": np.asarray((plan * cost).sum())}


PEERS = {
    "wasserstein_1d": Peer(f"{POT} wasserstein_1d (value is W_p^p)", wasserstein_1d),
    "emd": Peer(f"{POT} emd2", emd),
    "sinkhorn": Peer(f"{POT} sinkhorn_log to 1e-13", sinkhorn),
}
