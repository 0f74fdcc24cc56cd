"""Losses over embeddings: sentence-transformers and pytorch-metric-learning by their own code, CLIP on torch's functions."""

from importlib.metadata import version

import torch
import torch.nn.functional as F
from pytorch_metric_learning.losses import SupConLoss
from sentence_transformers.sentence_transformer.losses.multiple_negatives_ranking import MultipleNegativesRankingLoss

from peer import TORCH, Peer, gradients, leaf, plain

DIRECTIONS = {
    "forward": ("query_to_doc",),
    "symmetric": ("query_to_doc", "doc_to_query"),
    "all": ("query_to_doc", "query_to_query", "doc_to_query", "doc_to_doc"),
}


def clip(a, b, temperature=0.07):
    a, b = leaf(a), leaf(b)
    logits = F.normalize(a, dim=-1) @ F.normalize(b, dim=-1).T / temperature
    targets = torch.arange(len(logits))
    loss = (F.cross_entropy(logits, targets) + F.cross_entropy(logits.T, targets)) / 2
    return {"loss": plain(loss)} | gradients(loss, a=a, b=b)


def info_nce(a, b, scale=20.0, directions="forward", partition="joint", hardness=None, hardness_strength=0.0):
    a, b = leaf(a), leaf(b)
    loss = MultipleNegativesRankingLoss(
        model=None,
        scale=scale,
        directions=DIRECTIONS[directions],
        partition_mode=partition,
        hardness_mode=hardness,
        hardness_strength=hardness_strength,
    ).compute_loss_from_embeddings([a, *b.split(len(a))], None)
    return {"loss": plain(loss)} | gradients(loss, a=a, b=b)


def supervised_contrastive(embeddings, labels, temperature=0.1):
    x = leaf(embeddings)
    loss = SupConLoss(temperature=temperature)(x, torch.tensor(labels).long())
    return {"loss": plain(loss)} | gradients(loss, embeddings=x)


PEERS = {
    "clip": Peer(f"{TORCH.split()[0]} {TORCH.split()[1]} F.normalize + F.cross_entropy", clip),
    "info_nce": Peer(f"sentence-transformers {version('sentence-transformers')}", info_nce),
    "supervised_contrastive": Peer(f"pytorch-metric-learning {version('pytorch-metric-learning')}", supervised_contrastive),
}
