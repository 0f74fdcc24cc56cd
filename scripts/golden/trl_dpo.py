"""Pair losses against a reference: `DPOTrainer._compute_loss` of TRL.

The method asks a model for log-probabilities of tokens and its trainer for hyper-parameters. Here the trainer is a bare
record, and the model answers with the case's sums spread evenly over as many tokens as the case has; the reference's
sums go in as the trainer takes them when they were computed in advance. The rewards are those that it logs.
"""

from collections import defaultdict
from functools import partial
from types import SimpleNamespace

import numpy as np
import torch
from trl import DPOTrainer

from peer import TORCH, TRL, Peer, gradients, leaf, plain


def trainer(loss_types, weights, beta, label_smoothing, f_divergence, alpha, discopop_tau):
    """As much of a trainer as `_compute_loss` reads."""
    alone = SimpleNamespace(device=torch.device("cpu"), gather=lambda x: x, gather_for_metrics=lambda x: x)
    return SimpleNamespace(
        accelerator=alone,
        model=SimpleNamespace(training=False),
        args=SimpleNamespace(discopop_tau=discopop_tau),
        loss_types=loss_types,
        loss_weights=weights,
        beta=beta,
        label_smoothing=label_smoothing,
        f_divergence_type=f_divergence,
        f_alpha_divergence_coef=alpha,
        precompute_ref_logps=True,
        ld_alpha=None,
        use_weighting=False,
        aux_loss_enabled=False,
        _total_train_tokens=0,
        _metrics=defaultdict(partial(defaultdict, list)),
    )


def model(sums, mask):
    """Answers any call with these sums of each response; what only enters other metrics is zero."""
    log_probs = (sums / mask.sum(1)).unsqueeze(1) * mask
    nothing = torch.zeros_like(log_probs)
    answer = SimpleNamespace(log_probs=log_probs, entropy=nothing, mean_logits=nothing, is_top1=nothing.bool())
    return lambda **_: answer


def pairs(
    policy_chosen_logps,
    policy_rejected_logps,
    reference_chosen_logps,
    reference_rejected_logps,
    chosen_lengths,
    rejected_lengths,
    *,
    loss_types,
    weights=(1.0,),
    beta=0.1,
    label_smoothing=0.0,
    f_divergence="reverse_kl",
    alpha=0.5,
    discopop_tau=0.05,
):
    chosen, rejected = leaf(policy_chosen_logps), leaf(policy_rejected_logps)
    # Of alpha divergences the trainer knows a largest exponent for narrow types only.
    dtype = torch.float32 if f_divergence == "alpha_divergence" else torch.float64
    lengths = torch.tensor(np.concatenate([chosen_lengths, rejected_lengths]))
    mask = (torch.arange(lengths.max()) < lengths.unsqueeze(1)).long()
    with_prompt = torch.nn.functional.pad(mask, (1, 0))  # one token, which the shift drops
    inputs = {
        "input_ids": torch.zeros_like(with_prompt),
        "attention_mask": torch.ones_like(with_prompt),
        "completion_mask": with_prompt,
        "ref_chosen_logps": torch.tensor(reference_chosen_logps, dtype=dtype),
        "ref_rejected_logps": torch.tensor(reference_rejected_logps, dtype=dtype),
    }
    of = trainer(loss_types, weights, beta, label_smoothing, f_divergence, alpha, discopop_tau)
    answers = model(torch.cat([chosen, rejected]).to(dtype), mask)
    loss = DPOTrainer._compute_loss(of, answers, inputs, return_outputs=False)
    logged = {name: np.array(values[0]) for name, values in of._metrics["eval"].items()}
    pairs_won = np.round(logged["rewards/accuracies"] * len(chosen))  # the trainer takes this mean alone in float32
    return (
        {"loss": plain(loss)}
        | gradients(loss, policy_chosen_logps=chosen, policy_rejected_logps=rejected)
        | {
            "reward_chosen_mean": logged["rewards/chosen"],
            "reward_margin_mean": logged["rewards/margins"],
            "reward_accuracy": pairs_won / len(chosen),
        }
    )


def mixture(*, terms, weights, **case):
    """The objective of MPO: several losses of the trainer at once."""
    types = {"dpo": "sigmoid", "bco_pair": "bco_pair", "sft": "sft"}
    return pairs(**case, loss_types=[types[term] for term in terms], weights=weights)


SAME_NAMES = (
    ("ipo", "hinge", "exo_pair", "discopop", "nca_pair", "bco_pair", "sppo_hard")
    + ("apo_zero", "apo_down", "aot", "aot_unpaired")
)
LOSS_TYPES = {
    "dpo": "sigmoid",
    "dpo_f_divergence": "sigmoid",
    "dpo_norm": "sigmoid_norm",
    "robust_dpo": "robust",
} | {name: name for name in SAME_NAMES}

PEERS = {
    name: Peer(f"{TRL} DPOTrainer loss_type={loss_type}, {TORCH}", partial(pairs, loss_types=[loss_type]))
    for name, loss_type in LOSS_TYPES.items()
}
PEERS["mpo"] = Peer(f"{TRL} DPOTrainer loss_type=['sigmoid', 'bco_pair', 'sft'], {TORCH}", mixture)
