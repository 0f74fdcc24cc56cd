"""Functions over logits of TRL: helpers of its trainers, and the loss of GKD, a static method."""

import torch
from trl.experimental.gkd import GKDTrainer
from trl.trainer.utils import entropy_from_logits, selective_log_softmax

from peer import TORCH, TRL, Peer, gradients, leaf, plain


def token_log_probs(logits, targets, cotangent):
    logits = leaf(logits)
    out = selective_log_softmax(logits, torch.tensor(targets))
    return {"out": plain(out)} | gradients(out * torch.tensor(cotangent), logits=logits)


def entropy(logits):
    logits = leaf(logits)
    out = entropy_from_logits(logits)
    return {"out": plain(out)} | gradients(out, logits=logits)


def generalized_jsd(student_logits, teacher_logits, *, beta=0.5, temperature=1.0):
    student, teacher = leaf(student_logits), torch.tensor(teacher_logits)
    loss = GKDTrainer.generalized_jsd_loss(student, teacher, beta=beta, temperature=temperature, reduction="sum")
    return {"loss": plain(loss)} | gradients(loss, student_logits=student)


PEERS = {
    "token_log_probs": Peer(f"{TRL} selective_log_softmax, {TORCH}", token_log_probs),
    "entropy": Peer(f"{TRL} entropy_from_logits", entropy),
    "generalized_jsd": Peer(f"{TRL} GKDTrainer.generalized_jsd_loss reduction=sum", generalized_jsd),
}
