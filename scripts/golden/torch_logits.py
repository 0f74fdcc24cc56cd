"""Losses over logits: torch's functions under its own autograd."""

import torch
import torch.nn.functional as F

from peer import TORCH, Peer, gradients, leaf, plain


def log_sum_exp(x):
    x = leaf(x)
    out = torch.logsumexp(x, dim=-1)
    return {"out": plain(out)} | gradients(out, x=x)


def log_softmax(x):
    return {"out": plain(F.log_softmax(torch.tensor(x), dim=-1))}


def cross_entropy(logits, targets, class_weights=None, *, reduction="mean", label_smoothing=0.0, ignore_index=-100):
    """Targets of the logits' own shape are probabilities, for torch as for us."""
    logits = leaf(logits)
    loss = F.cross_entropy(
        logits,
        torch.tensor(targets),
        weight=None if class_weights is None else torch.tensor(class_weights),
        reduction=reduction,
        label_smoothing=label_smoothing,
        ignore_index=ignore_index,
    )
    return {"loss": plain(loss)} | gradients(loss, logits=logits)


def linear_cross_entropy(hidden, weight, bias, targets, *, reduction="mean", ignore_index=-100):
    leaves = {"hidden": leaf(hidden), "weight": leaf(weight), "bias": leaf(bias)}
    logits = F.linear(leaves["hidden"], leaves["weight"], leaves["bias"])
    loss = F.cross_entropy(logits, torch.tensor(targets), reduction=reduction, ignore_index=ignore_index)
    return {"loss": plain(loss)} | gradients(loss, **leaves)


PEERS = {
    "log_sum_exp": Peer(TORCH, log_sum_exp),
    "log_softmax": Peer(TORCH, log_softmax),
    "cross_entropy": Peer(f"{TORCH} F.cross_entropy", cross_entropy),
    "linear_cross_entropy": Peer(f"{TORCH} F.linear + F.cross_entropy", linear_cross_entropy),
}
