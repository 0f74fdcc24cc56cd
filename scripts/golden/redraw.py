"""Fresh inputs like those of a stored case: the same names, shapes and scales, other numbers."""

import numpy as np

from schema import Arrays, Case


def inputs(case: Case, random: np.random.Generator) -> Arrays:
    return {name: like(name, stored, case, random) for name, stored in case.inputs.items()}


def like(name: str, stored: np.ndarray, case: Case, random: np.random.Generator) -> np.ndarray:
    """By the input's name where that says what it holds, by its numbers elsewhere."""
    shape = stored.shape
    if name.endswith("_logps"):  # at most 0; exact in f32 too, where else their differences would be of other numbers
        return -random.gamma(2.0, -stored.mean() / 2.0, shape).astype(np.float32).astype(np.float64)
    if name.endswith("_lengths"):
        return random.integers(1, stored.max(), shape, endpoint=True)
    if name == "targets":  # as many of them ignored
        classes = random.integers(0, count(case.inputs), shape)
        return random.permutation(np.where(stored < 0, stored, classes))
    if name in ("a", "b", "x_weights", "y_weights") and len(shape) == 1:
        return random.dirichlet(np.ones(shape[0]))
    if name in ("cost", "class_weights", "std", "activations", "sigma", "real_weights", "fake_weights", "tau"):
        return random.uniform(stored.min(), stored.max(), shape)
    if (stored == stored.round()).all():  # counts and coins
        return random.integers(0, stored.max(), shape, endpoint=True)
    return random.normal(0.0, stored.std(), shape)


def count(inputs: Arrays) -> int:
    """How many classes the targets are among."""
    if "candidates" in inputs:
        return len(inputs["candidates"])
    return inputs.get("logits", inputs.get("weight")).shape[-1]
