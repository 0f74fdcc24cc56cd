"""The operations that compare_torch.py compares, and their times in this process as one line of JSON each.

`python scripts/compare_cases.py [--quick] [--only WORD]`; compare_torch.py builds the library, and chooses threads and pages.
"""

import argparse
import ctypes
import json
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import torch
import torch.nn.functional as F

PEERS = ["torch", "torch.compile", "jax"]
TOLERANCE = 2e-5  # of the largest number of a result
REST = 0.02  # seconds before each run, in which the threads of the one before stop to spin

Run = Callable[[], Any]


@dataclass
class Case:
    """One operation of the peers, and a row of the table for each way in which the crate does it."""

    shape: str
    ours: dict[str, Run]
    peers: dict[str, Run]
    prepare: dict[str, Run] = field(default_factory=dict)  # before the runs of these names, outside of the time


class Library:
    """The functions of examples/c_abi.rs over tensors."""

    def __init__(self, path: str) -> None:
        self.library = ctypes.CDLL(path)
        self.library.loglik_last_error.restype = ctypes.c_char_p

    def run(self, name: str, *arguments: torch.Tensor | float, results: list[torch.Tensor]) -> Run:
        """A run of the function, which leaves `results` among its arguments."""
        function, converted = self.library[f"loglik_{name}"], list(map(to_c, arguments))

        def run() -> list[torch.Tensor]:
            if function(*converted):
                raise RuntimeError(self.library.loglik_last_error().decode())
            return results

        return run


def to_c(argument: torch.Tensor | float) -> ctypes.c_void_p | ctypes.c_size_t | ctypes.c_double:
    if isinstance(argument, torch.Tensor):
        return ctypes.c_void_p(argument.data_ptr())
    return ctypes.c_size_t(argument) if isinstance(argument, int) else ctypes.c_double(argument)


def to_jax(*tensors: torch.Tensor) -> list[jax.Array]:
    """The same memory as arrays of jax; indices, which have 32 bits there, are copied."""
    return [jax.dlpack.from_dlpack(x if x.is_floating_point() else x.int()) for x in tensors]


def values(
    eager: Callable, xla: Callable, *arguments: torch.Tensor, compiled: Callable | None = None
) -> dict[str, Run]:
    """The peers' runs of a function without gradient."""
    fused, jitted = torch.compile(compiled or eager, fullgraph=True, dynamic=False), jax.jit(xla)
    arrays = to_jax(*arguments)
    runs = [lambda: [eager(*arguments)], lambda: [fused(*arguments)], lambda: [jitted(*arrays)]]
    return dict(zip(PEERS, runs, strict=True))


def grads(eager: Callable, xla: Callable, variables: list[torch.Tensor], *constants: torch.Tensor) -> dict[str, Run]:
    """The peers' runs of a scalar function and its gradient in `variables`, its first arguments."""
    leaves = [x.detach().requires_grad_() for x in variables]
    fused = torch.compile(eager, fullgraph=True, dynamic=False)
    jitted = jax.jit(jax.value_and_grad(xla, argnums=tuple(range(len(leaves)))))
    arrays = to_jax(*variables, *constants)

    def backward(function: Callable) -> list[torch.Tensor]:
        loss = function(*leaves, *constants)
        return [loss.detach(), *torch.autograd.grad(loss, leaves)]

    runs = [lambda: backward(eager), lambda: backward(fused), lambda: jax.tree.leaves(jitted(*arrays))]
    return dict(zip(PEERS, runs, strict=True))


def torch_log_probs(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return x.gather(-1, y[:, None])[:, 0] - x.logsumexp(-1)


def torch_log_probs_by_row(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Long rows one by one, as libraries of preference training do, so that temporaries stay in the cache."""
    return x.gather(-1, y[:, None])[:, 0] - torch.stack([row.logsumexp(-1) for row in x])


def jax_log_probs(x: jax.Array, y: jax.Array) -> jax.Array:
    return jnp.take_along_axis(x, y[:, None], -1)[:, 0] - jax.nn.logsumexp(x, -1)


def rows_of_logits(lib: Library, rows: int, classes: int) -> Iterator[Case]:
    x, y = 3 * torch.randn(rows, classes), torch.randint(classes, (rows,))
    each, loss, full, other = torch.empty(rows), torch.empty(()), torch.empty_like(x), torch.empty_like(x)
    shape = f"{rows} x {classes}"

    run = lib.run("log_sum_exp", x, rows, classes, each, results=[each])
    yield Case(shape, {"`log_sum_exp`": run}, values(lambda x: x.logsumexp(-1), lambda x: jax.nn.logsumexp(x, -1), x))

    run = lib.run("token_log_probs", x, y, rows, classes, each, results=[each])
    eager = torch_log_probs_by_row if classes > 1000 else torch_log_probs
    yield Case(shape, {"`token_log_probs`": run}, values(eager, jax_log_probs, x, y, compiled=torch_log_probs))

    def mean(x: jax.Array, y: jax.Array) -> jax.Array:
        return -jax_log_probs(x, y).mean()

    run = lib.run("cross_entropy", x, y, rows, classes, loss, results=[loss])
    yield Case(shape, {"`CrossEntropy::value`": run}, values(F.cross_entropy, mean, x, y))

    in_place, into = "`CrossEntropy::grad_in_place`", "`CrossEntropy::grad_into`"
    runs = {
        in_place: lib.run("cross_entropy_grad_in_place", full, y, rows, classes, loss, results=[loss, full]),
        into: lib.run("cross_entropy_grad", x, y, rows, classes, loss, full, results=[loss, full]),
    }
    yield Case(shape, runs, grads(F.cross_entropy, mean, [x], y), prepare={in_place: lambda: full.copy_(x)})

    run = lib.run("log_softmax", x, rows, classes, full, results=[full])
    peers = values(lambda x: torch.log_softmax(x, -1), lambda x: jax.nn.log_softmax(x, -1), x)
    yield Case(shape, {"`log_softmax_into`": run}, peers)
    peers = {"torch": lambda: [torch.log_softmax(x, -1, out=other)]}
    yield Case(shape, {"`log_softmax_into`, torch by `out=`": run}, peers)


def preference_pairs(lib: Library, pairs: int, beta: float = 0.1) -> Iterator[Case]:
    policy, reference = 20 * torch.randn(2, 2, pairs) - 100
    loss, grad = torch.empty(()), torch.empty(2, pairs)

    def eager(w: torch.Tensor, l: torch.Tensor, rw: torch.Tensor, rl: torch.Tensor) -> torch.Tensor:
        return -F.logsigmoid(beta * ((w - rw) - (l - rl))).mean()

    def xla(w: jax.Array, l: jax.Array, rw: jax.Array, rl: jax.Array) -> jax.Array:
        return -jax.nn.log_sigmoid(beta * ((w - rw) - (l - rl))).mean()

    run = lib.run("dpo_grad", policy, reference, pairs, beta, loss, grad, results=[loss, *grad])
    yield Case(f"{pairs} pairs", {"`Dpo::grad_into`": run}, grads(eager, xla, [*policy], *reference))


def linear_heads(lib: Library, tokens: int, width: int, classes: int) -> Iterator[Case]:
    x, w = torch.randn(tokens, width), torch.randn(classes, width) * (3 / width**0.5)
    y = torch.randint(classes, (tokens,))
    results = [torch.empty(()), torch.empty_like(x), torch.empty_like(w)]

    def eager(x: torch.Tensor, w: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return F.cross_entropy(x @ w.T, y)

    def chunked(x: torch.Tensor, w: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return F.linear_cross_entropy(x, w, y, options=torch.nn.LinearCrossEntropyOptions())

    def xla(x: jax.Array, w: jax.Array, y: jax.Array) -> jax.Array:
        return -jax_log_probs(x @ w.T, y).mean()

    def run(budget: int) -> Run:
        return lib.run("linear_cross_entropy_grad", x, w, y, tokens, width, classes, budget, *results, results=results)

    shape, name = f"{tokens} x {width} x {classes}", "`LinearCrossEntropy::grad_into`"
    runs = {f"{name}, chunked": run(2**64 - 1), f"{name}, recomputed": run(0)}
    yield Case(shape, runs, grads(eager, xla, [x, w], y))
    if hasattr(F, "linear_cross_entropy"):
        peers = {"torch": grads(chunked, xla, [x, w], y)["torch"]}
        yield Case(shape, {f"{name}, chunked, torch too": run(2**64 - 1)}, peers)


def cases(lib: Library, quick: bool) -> Iterator[Case]:
    for rows, classes in [(64, 2000), (5000, 10)] if quick else [(4096, 32_000), (512, 128_256), (1_000_000, 10)]:
        torch.compiler.reset()
        yield from rows_of_logits(lib, rows, classes)
    yield from preference_pairs(lib, 4096 if quick else 1 << 20)
    yield from linear_heads(lib, *((64, 64, 2000) if quick else (512, 1024, 32_000)))


def difference(expected: torch.Tensor, got: torch.Tensor) -> float:
    """Largest absolute difference, relative to the largest number."""
    return ((got - expected).abs().max() / expected.abs().max()).item()


def to_torch(array: torch.Tensor | jax.Array) -> torch.Tensor:
    return array if isinstance(array, torch.Tensor) else torch.from_dlpack(array)


def measure(case: Case, rounds: int) -> dict[str, dict[str, float]]:
    """Seconds of each run, and by how much our results differ from those of torch."""
    runs = case.ours | case.peers
    expected = list(map(to_torch, case.peers["torch"]()))
    differences = {}
    for name, run in runs.items():
        case.prepare.get(name, list)()
        differences[name] = max(map(difference, expected, map(to_torch, run())))
        if not differences[name] <= TOLERANCE:
            raise SystemExit(f"{name}, {case.shape}: differs from torch by {differences[name]:.1e}")
    del expected
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            case.prepare.get(name, list)()
            time.sleep(REST)
            start = time.perf_counter()
            result = jax.block_until_ready(run())
            times[name].append(time.perf_counter() - start)
            del result
    medians = {name: statistics.median(times) for name, times in times.items()}
    peers = {name: medians[name] for name in case.peers}
    return {name: {"loglik": medians[name], **peers, "difference": differences[name]} for name in case.ours}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("library", help="the shared library of examples/c_abi.rs")
    parser.add_argument("--only", default="", metavar="WORD", help="operations whose names contain the word")
    parser.add_argument("--quick", action="store_true", help="small shapes and a single turn")
    options = parser.parse_args()
    torch.manual_seed(0)
    for case in cases(Library(options.library), options.quick):
        case.ours = {name: run for name, run in case.ours.items() if options.only in name}
        if case.ours:
            for name, numbers in measure(case, 1 if options.quick else 7).items():
                print(json.dumps({"operation": name, "shape": case.shape, **numbers}), flush=True)


if __name__ == "__main__":
    main()
