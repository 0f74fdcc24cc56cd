"""EDM by the scheduler of diffusers: its preconditioning and noise levels, and torch's gradient of the weighted error."""

from importlib.metadata import version

import torch
from diffusers import EDMEulerScheduler

from peer import Peer, gradients, leaf, plain


def edm(network, clean, noise, sigma, *, sigma_data, levels):
    scheduler = EDMEulerScheduler(sigma_data=sigma_data)
    network, clean, noise, sigma = (torch.tensor(x, dtype=torch.float64) for x in (network, clean, noise, sigma))
    column = sigma[:, None]
    noisy = clean + column * noise
    denoised = leaf(plain(scheduler.precondition_outputs(noisy, network, column)))
    # The weight is that with which the network's own error counts once.
    scale = scheduler.precondition_outputs(torch.zeros_like(column), torch.ones_like(column), column)
    loss = (((denoised - clean) / scale) ** 2).sum(dim=1)
    return {
        "denoised": plain(denoised),
        "scaled": plain(scheduler.precondition_inputs(noisy, column)),
        "noise_label": plain(scheduler.precondition_noise(sigma)),
        "levels": plain(scheduler._compute_karras_sigmas(torch.linspace(0, 1, levels, dtype=torch.float64))),
        "loss": plain(loss),
    } | gradients(loss, denoised=denoised)


PEERS = {"edm": Peer(f"diffusers {version('diffusers')} EDMEulerScheduler, torch {version('torch')} float64 autograd", edm)}
