"""Discriminators, contrasts with noise, and retrieval: torch's own losses under its autograd.

Each loss is a function of torch.nn.functional: binary cross-entropy of logits, mean squared error, hinge embedding, margin
ranking, cross-entropy and cosine similarity. A case of a critic also holds the loss of its generator.
"""

import torch
import torch.nn.functional as F

from peer import TORCH, Peer, gradients, leaf, plain


def says(output, label):
    """How far a discriminator's logits are from one label, on the mean."""
    return F.binary_cross_entropy_with_logits(output, torch.full_like(output, label))


def game(critic, generator):
    """The losses of both players, given by functions of the outputs."""

    def call(real, fake, **targets):
        real, fake = leaf(real), leaf(fake)
        loss, pull = critic(real, fake, **targets), generator(real, fake, **targets)
        (slope,) = torch.autograd.grad(pull, fake, retain_graph=True)
        of_generator = {"generator": plain(pull), "generator.grad.fake": plain(slope)}
        return {"loss": plain(loss)} | gradients(loss, real=real, fake=fake) | of_generator

    return call


def square(output, target):
    return F.mse_loss(output, torch.full_like(output, target)) / 2


def hinge(output):
    """The mean of max(0, 1 - output)."""
    return F.hinge_embedding_loss(output, -torch.ones_like(output), margin=1.0)


logistic = game(lambda real, fake: says(real, 1.0) + says(fake, 0.0), lambda real, fake: says(fake, 1.0))
least_squares = game(
    lambda real, fake, *, real_target, fake_target, generator_target: square(real, real_target) + square(fake, fake_target),
    lambda real, fake, *, real_target, fake_target, generator_target: square(fake, generator_target),
)
hinged = game(lambda real, fake: hinge(real) + hinge(-fake), lambda real, fake: -fake.mean())
relativistic = game(
    lambda real, fake: says(real - fake.mean(), 1.0) + says(fake - real.mean(), 0.0),
    lambda real, fake: says(fake - real.mean(), 1.0) + says(real - fake.mean(), 0.0),
)


def contrast(loss):
    """A mean over examples, of scores and log-probabilities of the noise, of positives and of negatives."""

    def call(positive, negatives, positive_noise, negative_noise):
        positive, negatives = leaf(positive), leaf(negatives)
        found = loss(positive, negatives, torch.tensor(positive_noise), torch.tensor(negative_noise))
        return {"loss": plain(found)} | gradients(found, positive=positive, negatives=negatives)

    return call


def nce(positive, negatives, positive_noise, negative_noise):
    log_k = torch.log(torch.tensor(float(negatives.shape[1])))
    of_noise = negatives - negative_noise - log_k
    return says(positive - positive_noise - log_k, 1.0) + negatives.shape[1] * says(of_noise, 0.0)


def ranking(positive, negatives, positive_noise, negative_noise):
    logits = torch.cat([(positive - positive_noise)[:, None], negatives - negative_noise], dim=1)
    return F.cross_entropy(logits, torch.zeros(len(positive), dtype=torch.long))


def candidates(embeddings, candidates, targets, tau):
    leaves = {"embeddings": leaf(embeddings), "candidates": leaf(candidates), "tau": leaf(tau)}
    cosines = F.cosine_similarity(leaves["embeddings"][:, None], leaves["candidates"][None], dim=-1)
    loss = F.cross_entropy(cosines / leaves["tau"], torch.tensor(targets))
    return {"loss": plain(loss)} | gradients(loss, **leaves)


def softmax_hinge(policy_chosen_logps, policy_rejected_logps):
    chosen, rejected = leaf(policy_chosen_logps), leaf(policy_rejected_logps)
    shares = F.softmax(torch.stack([chosen, rejected]), dim=0)
    loss = F.margin_ranking_loss(shares[0], shares[1], torch.ones_like(chosen), margin=1.0)
    return {"loss": plain(loss)} | gradients(loss, policy_chosen_logps=chosen, policy_rejected_logps=rejected)


PEERS = {
    "gan_logistic": Peer(f"{TORCH} F.binary_cross_entropy_with_logits", logistic),
    "gan_least_squares": Peer(f"{TORCH} F.mse_loss, halved", least_squares),
    "gan_hinge": Peer(f"{TORCH} F.hinge_embedding_loss", hinged),
    "gan_relativistic": Peer(f"{TORCH} F.binary_cross_entropy_with_logits", relativistic),
    "nce": Peer(f"{TORCH} F.binary_cross_entropy_with_logits", contrast(nce)),
    "ranking_nce": Peer(f"{TORCH} F.cross_entropy", contrast(ranking)),
    "candidate_nll": Peer(f"{TORCH} F.cosine_similarity + F.cross_entropy", candidates),
    "softmax_hinge": Peer(f"{TORCH} F.softmax + F.margin_ranking_loss", softmax_hinge),
}
