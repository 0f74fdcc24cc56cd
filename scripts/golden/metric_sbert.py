"""Metric learning: the losses of sentence-transformers, given embeddings in the place of a model."""

from importlib.metadata import version

import torch
from sentence_transformers.sentence_transformer import losses
from sentence_transformers.sparse_encoder.losses import FlopsLoss
from sentence_transformers.util import pairwise_dot_score

from peer import Peer, gradients, leaf, plain

SOURCE = f"sentence-transformers {version('sentence-transformers')} under torch {version('torch')} float64 autograd"

DISTANCES = losses.BatchHardTripletLossDistanceFunction
PAIRED = losses.SiameseDistanceMetric


class Given(torch.nn.Module):
    """A model whose features are embeddings already."""

    def __init__(self, dims=None):
        super().__init__()
        self.dims = dims

    def forward(self, features):
        return {"sentence_embedding": features["given"]}

    def get_embedding_dimension(self):
        return self.dims


def answer(value, **leaves):
    return {"loss": plain(value)} | gradients(value, **leaves)


def of_batch(kind, embeddings, labels, distance, **hyper):
    metrics = {"euclidean": DISTANCES.eucledian_distance, "cosine": DISTANCES.cosine_distance}
    x = leaf(embeddings)
    loss = kind(Given(), distance_metric=metrics[distance], **hyper)
    return answer(loss.compute_loss_from_embeddings([x], torch.tensor(labels)), embeddings=x)


def batch_hard_triplet(embeddings, *, labels, shape="hinge", distance="euclidean", **hyper):
    kind = losses.BatchHardTripletLoss if shape == "hinge" else losses.BatchHardSoftMarginTripletLoss
    return of_batch(kind, embeddings, labels, distance, **hyper)


def batch_all_triplet(embeddings, *, labels, distance="euclidean", **hyper):
    return of_batch(losses.BatchAllTripletLoss, embeddings, labels, distance, **hyper)


def semi_hard_triplet(embeddings, *, labels, distance="euclidean", **hyper):
    return of_batch(losses.BatchSemiHardTripletLoss, embeddings, labels, distance, **hyper)


def of_pairs(kind, x, y, alike, distance, **hyper):
    euclidean = lambda x, y: torch.nn.functional.pairwise_distance(x, y, eps=0.0)  # the peer's own adds 1e-6
    metrics = {"euclidean": euclidean, "cosine": PAIRED.COSINE_DISTANCE}
    x, y = leaf(x), leaf(y)
    loss = kind(Given(), distance_metric=metrics[distance], **hyper)
    return answer(loss.compute_loss_from_embeddings([x, y], torch.tensor(alike)), x=x, y=y)


def contrastive(x, y, *, alike, distance="cosine", **hyper):
    return of_pairs(losses.ContrastiveLoss, x, y, alike, distance, **hyper)


def online_contrastive(x, y, *, alike, distance="cosine", **hyper):
    return of_pairs(losses.OnlineContrastiveLoss, x, y, alike, distance, **hyper)


def cosent(x, y, gold, **hyper):
    x, y = leaf(x), leaf(y)
    loss = losses.CoSENTLoss(Given(), **hyper).compute_loss_from_embeddings([x, y], torch.tensor(gold))
    return answer(loss, x=x, y=y)


def angle(x, y, gold, **hyper):
    x, y = leaf(x), leaf(y)
    loss = losses.AnglELoss(Given(), **hyper).compute_loss_from_embeddings([x, y], torch.tensor(gold))
    return answer(loss, x=x, y=y)


def matryoshka(x, y, gold, *, dims, weights):
    """Of CoSENT, which sees no length: the peer divides each prefix by its own."""
    x, y = leaf(x), leaf(y)
    model = Given(x.shape[-1])
    loss = losses.MatryoshkaLoss(model, losses.CoSENTLoss(model), dims, weights)
    return answer(loss([{"given": x}, {"given": y}], torch.tensor(gold)), x=x, y=y)


def margin_mse(positive, negative, gold):
    """Scores as products of embeddings of one dimension with 1."""
    leaves = {"positive": leaf(positive), "negative": leaf(negative)}
    columns = [torch.ones(len(positive), 1)] + [scores[:, None] for scores in leaves.values()]
    loss = losses.MarginMSELoss(Given(), similarity_fct=pairwise_dot_score)
    return answer(loss.compute_loss_from_embeddings(columns, torch.tensor(gold)), **leaves)


def global_orthogonal(embeddings, **hyper):
    x = leaf(embeddings)
    terms = losses.GlobalOrthogonalRegularizationLoss(Given(), **hyper).compute_loss_from_embeddings([x])
    return answer(sum(terms.values()), embeddings=x)


def flops(activations):
    x = leaf(activations)
    return answer(FlopsLoss(Given()).compute_loss_from_embeddings(x), activations=x)


PEERS = {
    name: Peer(SOURCE, call)
    for name, call in {
        "batch_hard_triplet": batch_hard_triplet,
        "batch_all_triplet": batch_all_triplet,
        "semi_hard_triplet": semi_hard_triplet,
        "contrastive": contrastive,
        "online_contrastive": online_contrastive,
        "cosent": cosent,
        "angle": angle,
        "matryoshka": matryoshka,
        "margin_mse": margin_mse,
        "global_orthogonal": global_orthogonal,
        "flops": flops,
    }.items()
}
