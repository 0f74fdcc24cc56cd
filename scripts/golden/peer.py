"""What a peer is, and how torch's gradients are read."""

import os
from collections.abc import Callable
from importlib.metadata import version
from typing import NamedTuple

import numpy as np
import torch

from schema import Arrays

os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")  # most of its trainers live among its experiments

# Trainers make tensors of plain numbers; without this they would be rounded to float32.
torch.set_default_dtype(torch.float64)

TORCH = f"torch {version('torch')} float64 autograd"
TRL = f"trl {version('trl')}"
POT = f"POT {version('POT')}"


class Peer(NamedTuple):
    """`call` takes the inputs and parameters of a case by their names, so that an unknown one is an error."""

    source: str
    call: Callable[..., Arrays]


def leaf(x: np.ndarray) -> torch.Tensor:
    """A tensor whose gradient is asked for."""
    return torch.tensor(x, dtype=torch.float64, requires_grad=True)


def plain(x: torch.Tensor) -> np.ndarray:
    return x.detach().double().numpy()


def gradients(of: torch.Tensor, **leaves: torch.Tensor) -> Arrays:
    """`grad.NAME` for each leaf, of the sum where there is more than one number."""
    found = torch.autograd.grad(of.sum(), list(leaves.values()))
    return {f"grad.{name}": plain(gradient) for name, gradient in zip(leaves, found)}
