"""Two samples: MMD and the bounds of a critic on torch's autograd, the energy distance of SciPy, AUC and ROC of scikit-learn.

torch has no function for MMD or for the bounds: it stands for its `cdist`, `logsumexp`, `cross_entropy` and autograd. SciPy's
energy distance is of one dimension and a root.
"""

from importlib.metadata import version

import numpy as np
import torch
import torch.nn.functional as F
from scipy import stats
from sklearn import metrics

from peer import TORCH, Peer, gradients, leaf, plain


def squared(x, y):
    return (x[:, None] - y[None]).square().sum(-1)


def mmd_gaussian(real, fake, *, widths, estimator):
    x, y = leaf(real), leaf(fake)
    kernel = lambda a, b: sum(torch.exp(-squared(a, b) / (2 * width**2)) for width in widths)
    n, m = len(x), len(y)
    if estimator == "biased":
        within = kernel(x, x).mean() + kernel(y, y).mean()
    else:
        off = lambda k, n: (k.sum() - k.diagonal().sum()) / (n * (n - 1))
        within = off(kernel(x, x), n) + off(kernel(y, y), m)
    value = within - 2 * kernel(x, y).mean()
    return {"out": plain(value)} | gradients(value, real=x, fake=y)


def energy_distance(real, fake):
    x, y = leaf(real), leaf(fake)
    mean = lambda a, b: torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist").sum() / (len(a) * len(b))
    value = 2 * mean(x, y) - mean(x, x) - mean(y, y)
    if x.shape[1] == 1:
        scipy = stats.energy_distance(real[:, 0], fake[:, 0]) ** 2
        np.testing.assert_allclose(plain(value), scipy, rtol=1e-9, atol=1e-14)
    return {"out": plain(value)} | gradients(value, real=x, fake=y)


def donsker_varadhan(real, fake):
    t, s = leaf(real), leaf(fake)
    value = t.mean() - torch.logsumexp(s, 0) + np.log(len(fake))
    return {"out": plain(value)} | gradients(value, real=t, fake=s)


def nwj_bound(real, fake):
    t, s = leaf(real), leaf(fake)
    value = t.mean() - torch.exp(s - 1).mean()
    return {"out": plain(value)} | gradients(value, real=t, fake=s)


def jensen_shannon_bound(real, fake):
    t, s = leaf(real), leaf(fake)
    loss = F.binary_cross_entropy_with_logits
    value = np.log(2) - (loss(t, torch.ones_like(t)) + loss(s, torch.zeros_like(s))) / 2
    return {"out": plain(value)} | gradients(value, real=t, fake=s)


def info_nce_bound(scores):
    s = leaf(scores)
    value = np.log(len(scores)) - F.cross_entropy(s, torch.arange(len(scores)))
    return {"out": plain(value)} | gradients(value, scores=s)


def auc(real, fake, real_weights=None, fake_weights=None):
    labels = np.concatenate([np.ones(len(real)), np.zeros(len(fake))])
    scores = np.concatenate([real, fake])
    weights = None if real_weights is None else np.concatenate([real_weights, fake_weights])
    out = metrics.roc_auc_score(labels, scores, sample_weight=weights)
    if weights is None:
        u = stats.mannwhitneyu(real, fake).statistic
        np.testing.assert_allclose(out, u / (len(real) * len(fake)), rtol=1e-12)
    fpr, tpr, thresholds = metrics.roc_curve(labels, scores, sample_weight=weights, drop_intermediate=False)
    return {"out": np.asarray(out), "false_positive_rate": fpr, "true_positive_rate": tpr, "thresholds": thresholds}


SCIPY, SKLEARN = f"scipy {version('scipy')}", f"scikit-learn {version('scikit-learn')}"

PEERS = {
    "mmd": Peer(TORCH, mmd_gaussian),
    "energy_distance": Peer(f"{TORCH} on cdist, values in one dimension as those of {SCIPY}", energy_distance),
    "donsker_varadhan": Peer(f"{TORCH} on logsumexp", donsker_varadhan),
    "nwj_bound": Peer(TORCH, nwj_bound),
    "jensen_shannon_bound": Peer(f"{TORCH} on binary_cross_entropy_with_logits", jensen_shannon_bound),
    "info_nce_bound": Peer(f"{TORCH} on cross_entropy", info_nce_bound),
    "auc": Peer(f"{SKLEARN} roc_auc_score and roc_curve, values as scipy {version('scipy')} mannwhitneyu", auc),
}
