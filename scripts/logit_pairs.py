"""Expected values of src/preference/logit_pairs.rs, by torch's autograd in f64: `python scripts/logit_pairs.py`."""

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)


def logits(side, batch, width, classes):
    i, t, v = torch.meshgrid(*(torch.arange(n) for n in (batch, width, classes)), indexing="ij")
    return (2 * torch.sin(1.0 + 3 * i + 5 * t + 7 * v + 11 * side)).requires_grad_()


def tokens(side, batch, width, classes):
    i, t = torch.meshgrid(torch.arange(batch), torch.arange(width), indexing="ij")
    return (3 * i + 2 * t + side) % classes


def sequences(x, y, mask, shift):
    if shift:
        x, y, mask = x[:, :-1], y[:, 1:], mask[:, 1:]
    each = torch.log_softmax(x, -1).gather(-1, y[..., None])[..., 0]
    return torch.where(mask, each, 0.0).sum(-1), mask.sum(-1)


def dpo(w, l, nw, nl, rw, rl):
    return -F.logsigmoid(0.5 * ((w - rw) - (l - rl)))


def ipo(w, l, nw, nl, rw, rl):
    return (((w - rw) / nw - (l - rl) / nl) - 1 / (2 * 0.5)) ** 2


def orpo(w, l, nw, nl, rw, rl):
    w, l = w / nw, l / nl
    log_odds = (w - l) - (torch.log1p(-torch.exp(w)) - torch.log1p(-torch.exp(l)))
    return -w - 0.1 * F.logsigmoid(log_odds)


def show(name, losses, xs, at):
    grads = torch.autograd.grad(losses.mean(), xs, retain_graph=True)
    print(f"{name}: loss {losses.mean().item():.16g}, gradient", [f"{g[p].item():.16g}" for g, p in zip(grads, at)])


B, V = 2, 5
xs = logits(0, B, 4, V), logits(1, B, 5, V)
ys = tokens(0, B, 4, V), tokens(1, B, 5, V)
masks = (
    torch.tensor([[0, 1, 1, 1], [0, 0, 1, 0]]).bool(),
    torch.tensor([[0, 1, 1, 1, 1], [0, 1, 1, 0, 0]]).bool(),
)
rw, rl = torch.tensor([-4.0, -2.0]), torch.tensor([-6.5, -4.25])
for shift in (True, False):
    (w, nw), (l, nl) = (sequences(x, y, m, shift) for x, y, m in zip(xs, ys, masks))
    print("next" if shift else "same", [f"{v:.16g}" for v in (*w.tolist(), *l.tolist())], nw.tolist(), nl.tolist())
    for loss in (dpo, ipo, orpo):
        show(f"  {loss.__name__}", loss(w, l, nw, nl, rw, rl), xs, ((0, 1, 2), (1, 1, 3)))

# The example of the documentation.
x = torch.tensor([[[1.0, 2, 3], [3, 1, 2], [0, 0, 0]]], requires_grad=True)
z = torch.tensor([[[1.0, 2, 3], [0, 0, 1]]], requires_grad=True)
(w, _), (l, _) = (
    sequences(x, torch.tensor([[0, 2, 0]]), torch.tensor([[False, True, True]]), True),
    sequences(z, torch.tensor([[0, 1]]), torch.tensor([[False, True]]), True),
)
loss = dpo(w, l, None, None, torch.tensor([-1.0]), torch.tensor([-1.0]))
show("example", loss, (x, z), ((0, 0, 2), (0, 0, 1)))
