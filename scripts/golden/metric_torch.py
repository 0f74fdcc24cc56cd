"""Metric learning: torch's own losses of embeddings."""

import torch
import torch.nn.functional as F

from peer import TORCH, Peer, gradients, leaf, plain


def triplet(anchors, positives, negatives, *, margin=1.0, swap="anchor", reduction="mean"):
    leaves = {"anchors": leaf(anchors), "positives": leaf(positives), "negatives": leaf(negatives)}
    loss = F.triplet_margin_loss(*leaves.values(), margin=margin, eps=0.0, swap=swap == "nearer", reduction=reduction)
    return {"loss": plain(loss)} | gradients(loss, **leaves)


def cosine_embedding(x, y, *, alike, margin=0.0, reduction="mean"):
    x, y = leaf(x), leaf(y)
    signs = torch.tensor(alike) * 2 - 1
    loss = F.cosine_embedding_loss(x, y, signs, margin=margin, reduction=reduction)
    return {"loss": plain(loss)} | gradients(loss, x=x, y=y)


def paired_scores(x, y, *, score):
    x, y = leaf(x), leaf(y)
    out = F.cosine_similarity(x, y) if score == "cosine" else F.pairwise_distance(x, y, eps=0.0)
    return {"out": plain(out)} | gradients(out, x=x, y=y)


def score_matrix(x, y, *, score):
    x, y = leaf(x), leaf(y)
    out = F.cosine_similarity(x[:, None], y[None], dim=-1) if score == "cosine" else torch.cdist(x, y)
    return {"out": plain(out)} | gradients(out, x=x, y=y)


PEERS = {
    "triplet": Peer(f"{TORCH} F.triplet_margin_loss with eps 0", triplet),
    "cosine_embedding": Peer(f"{TORCH} F.cosine_embedding_loss", cosine_embedding),
    "paired_scores": Peer(f"{TORCH} F.cosine_similarity, F.pairwise_distance with eps 0", paired_scores),
    "score_matrix": Peer(f"{TORCH} F.cosine_similarity, torch.cdist", score_matrix),
}
