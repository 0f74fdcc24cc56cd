"""Pair losses without a reference: `CPOTrainer.cpo_loss` and `ORPOTrainer.odds_ratio_loss` of TRL.

Both are methods of log-probabilities as they come and of a few fields of their trainer, for which a bare record stands.
"""

from functools import partial
from types import SimpleNamespace

import torch
from trl.experimental.cpo import CPOTrainer
from trl.experimental.orpo import ORPOTrainer

from peer import TORCH, TRL, Peer, gradients, leaf, plain

ALONE = SimpleNamespace(device=torch.device("cpu"))


def mean(losses, chosen, rejected):
    loss = losses.mean()
    return {"loss": plain(loss)} | gradients(loss, policy_chosen_logps=chosen, policy_rejected_logps=rejected)


def cpo(policy_chosen_logps, policy_rejected_logps, *, loss_type, beta=0.1, label_smoothing=0.0, **more):
    """`more` is the margin of SimPO and the exponent of AlphaPO."""
    chosen, rejected = leaf(policy_chosen_logps), leaf(policy_rejected_logps)
    fields = {"alpha": 0.0, "accelerator": ALONE} | more
    of = SimpleNamespace(loss_type=loss_type, beta=beta, label_smoothing=label_smoothing, **fields)
    return mean(CPOTrainer.cpo_loss(of, chosen, rejected)[0], chosen, rejected)


def simpo(*, simpo_gamma=0.5, **case):
    return cpo(**case, loss_type="simpo", simpo_gamma=simpo_gamma)


def alphapo(*, alpha=0.0, **case):
    return simpo(**case, alpha=alpha)


def orpo_odds_ratio(policy_chosen_logps, policy_rejected_logps, *, beta=0.1):
    """The trainer subtracts what the method returns, so its sign is turned."""
    chosen, rejected = leaf(policy_chosen_logps), leaf(policy_rejected_logps)
    losses, *_ = ORPOTrainer.odds_ratio_loss(SimpleNamespace(beta=beta, accelerator=ALONE), chosen, rejected)
    return mean(-losses, chosen, rejected)


def source(loss_type):
    return f"{TRL} CPOTrainer.cpo_loss loss_type={loss_type} (log-probs taken as given), {TORCH}"


PEERS = {
    "cpo": Peer(source("sigmoid"), partial(cpo, loss_type="sigmoid")),
    "cpo_hinge": Peer(source("hinge"), partial(cpo, loss_type="hinge")),
    "simpo": Peer(source("simpo"), simpo),
    "alphapo": Peer(source("simpo"), alphapo),
    "orpo_odds_ratio": Peer(f"{TRL} ORPOTrainer.odds_ratio_loss (float32 inside)", orpo_odds_ratio),
}
