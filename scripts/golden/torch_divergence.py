"""Divergences between rows of logits: values of SciPy, gradients of torch's autograd.

torch has a function for KL alone. The other four are written out here on torch's operations, so for them torch stands for
its autograd only; that they are the divergences they claim to be is SciPy's word, which every value must match.
"""

from importlib.metadata import version

import numpy as np
import torch
import torch.nn.functional as F
from scipy import stats
from scipy.spatial import distance
from torch.distributions import Categorical, kl_divergence

from peer import TORCH, Peer, leaf, plain


def kl(p, q):
    return kl_divergence(Categorical(logits=p), Categorical(logits=q))


def jensen_shannon(p, q):
    log_p, log_q = F.log_softmax(p, dim=-1), F.log_softmax(q, dim=-1)
    log_m = torch.logaddexp(log_p, log_q) - np.log(2)
    to_middle = lambda log_x: F.kl_div(log_m, log_x, reduction="none", log_target=True).sum(-1)
    return (to_middle(log_p) + to_middle(log_q)) / 2


def chi_square(p, q):
    p, q = F.softmax(p, dim=-1), F.softmax(q, dim=-1)
    return ((p - q).square() / q).sum(-1)


def hellinger_square(p, q):
    return (F.softmax(p, dim=-1).sqrt() - F.softmax(q, dim=-1).sqrt()).square().sum(-1) / 2


def total_variation(p, q):
    return (F.softmax(p, dim=-1) - F.softmax(q, dim=-1)).abs().sum(-1) / 2


# Of two rows of probabilities.
SCIPY = {
    kl: stats.entropy,
    jensen_shannon: lambda p, q: distance.jensenshannon(p, q) ** 2,
    chi_square: lambda p, q: stats.chisquare(p, q).statistic,
    hellinger_square: lambda p, q: distance.sqeuclidean(np.sqrt(p), np.sqrt(q)) / 2,
    total_variation: lambda p, q: distance.cityblock(p, q) / 2,
}


def by(divergence):
    def call(p_logits, q_logits):
        p, q = leaf(p_logits), leaf(q_logits)
        out = divergence(p, q)
        rows = zip(plain(F.softmax(p, dim=-1)), plain(F.softmax(q, dim=-1)))
        np.testing.assert_allclose(plain(out), [SCIPY[divergence](*row) for row in rows], rtol=1e-9, atol=1e-14)
        found = {"out": plain(out)}
        for name, gradient in zip(("p_logits", "q_logits"), torch.autograd.grad(out.sum(), (p, q))):
            if gradient.isfinite().all():
                found[f"grad.{name}"] = plain(gradient)
        return found

    return call


SOURCE = f"{TORCH}, values as those of scipy {version('scipy')}"

PEERS = {f"divergence_{divergence.__name__}": Peer(SOURCE, by(divergence)) for divergence in SCIPY}
