"""Metric learning: the losses of pytorch-metric-learning, called with fixed embeddings and weights."""

from importlib.metadata import version

import torch
from pytorch_metric_learning import distances, losses, reducers

from peer import Peer, gradients, leaf, plain

SOURCE = f"pytorch-metric-learning {version('pytorch-metric-learning')} under torch {version('torch')} float64 autograd"


def of_batch(loss, embeddings, labels):
    x = leaf(embeddings)
    value = loss(x, torch.tensor(labels))
    return {"loss": plain(value)} | gradients(value, embeddings=x)


def multi_similarity(embeddings, *, labels, **hyper):
    return of_batch(losses.MultiSimilarityLoss(**hyper), embeddings, labels)


def circle(embeddings, *, labels, **hyper):
    return of_batch(losses.CircleLoss(**hyper), embeddings, labels)


def lifted_structure(embeddings, *, labels, **hyper):
    distance = distances.LpDistance(normalize_embeddings=False)
    return of_batch(losses.LiftedStructureLoss(distance=distance, **hyper), embeddings, labels)


def generalized_lifted(embeddings, *, labels, **hyper):
    """Labels of which each has two embeddings or more: the peer counts other anchors, too."""
    distance = distances.LpDistance(normalize_embeddings=False)
    return of_batch(losses.GeneralizedLiftedStructureLoss(distance=distance, **hyper), embeddings, labels)


def n_pairs(anchors, positives):
    """Labels in pairs; the peer takes one pair of each, whose order the batch has."""
    leaves = {"anchors": leaf(anchors), "positives": leaf(positives)}
    n = len(anchors)
    both = torch.cat(list(leaves.values()))
    pairs = (torch.arange(n), torch.arange(n, 2 * n), torch.tensor([], dtype=int), torch.tensor([], dtype=int))
    distance = distances.DotProductSimilarity(normalize_embeddings=False)
    loss = losses.NPairsLoss(distance=distance)(both, torch.arange(n).repeat(2), pairs)
    return {"loss": plain(loss)} | gradients(loss, **leaves)


def proxy_anchor(embeddings, proxies, *, labels, **hyper):
    loss = losses.ProxyAnchorLoss(*proxies.shape, **hyper)
    x, loss.proxies.data = leaf(embeddings), torch.tensor(proxies)
    value = loss(x, torch.tensor(labels))
    return {"loss": plain(value)} | gradients(value, embeddings=x, proxies=loss.proxies)


def of_centers(kind, embeddings, centers, labels, directed=False, **hyper):
    loss = kind(*centers.shape, reducer=reducers.MeanReducer(), **hyper)
    x, loss.W.data = leaf(embeddings), torch.tensor(centers.T.copy())
    value = loss(torch.nn.functional.normalize(x) if directed else x, torch.tensor(labels))
    found = gradients(value, embeddings=x, centers=loss.W)
    return {"loss": plain(value), **found, "grad.centers": found["grad.centers"].T}


def arc_face(embeddings, centers, *, labels, **hyper):
    return of_centers(losses.ArcFaceLoss, embeddings, centers, labels, **hyper)


def cos_face(embeddings, centers, *, labels, **hyper):
    return of_centers(losses.CosFaceLoss, embeddings, centers, labels, **hyper)


def sphere_face(embeddings, centers, *, labels, **hyper):
    """The peer multiplies by the length of an embedding: it is given those of length 1."""
    return of_centers(losses.SphereFaceLoss, embeddings, centers, labels, directed=True, **hyper)


def vic_reg(x, y, **hyper):
    x, y = leaf(x), leaf(y)
    loss = losses.VICRegLoss(**hyper)(x, ref_emb=y)
    return {"loss": plain(loss)} | gradients(loss, x=x, y=y)


PEERS = {
    name: Peer(SOURCE, call)
    for name, call in {
        "multi_similarity": multi_similarity,
        "circle": circle,
        "lifted_structure": lifted_structure,
        "generalized_lifted": generalized_lifted,
        "n_pairs": n_pairs,
        "proxy_anchor": proxy_anchor,
        "arc_face": arc_face,
        "cos_face": cos_face,
        "sphere_face": sphere_face,
        "vic_reg": vic_reg,
    }.items()
}
