"""Densities: `log_prob` of torch.distributions, gradients of the sum."""

from importlib.metadata import version

import torch
from torch.distributions import Bernoulli, Normal, Poisson

from peer import Peer, gradients, leaf, plain


def normal(x, mean, std):
    x, mean, std = leaf(x), leaf(mean), leaf(std)
    nll = -Normal(mean, std).log_prob(x)
    return {"nll": plain(nll)} | gradients(nll, mean=mean, std=std, x=x)


def bernoulli_logits(x, logits):
    logits = leaf(logits)
    nll = -Bernoulli(logits=logits).log_prob(torch.tensor(x, dtype=torch.float64))
    return {"nll": plain(nll)} | gradients(nll, logits=logits)


def poisson_log(x, log_rate):
    log_rate = leaf(log_rate)
    nll = -Poisson(log_rate.exp()).log_prob(torch.tensor(x, dtype=torch.float64))
    return {"nll": plain(nll)} | gradients(nll, log_rate=log_rate)


SOURCE = f"torch.distributions {version('torch')} float64 autograd"

PEERS = {
    "nll_normal": Peer(SOURCE, normal),
    "nll_bernoulli_logits": Peer(SOURCE, bernoulli_logits),
    "nll_poisson_log": Peer(SOURCE, poisson_log),
}
