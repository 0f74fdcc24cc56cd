"""Prints the values that the tests of `ratio` expect: DDO by mpmath with 400 digits."""

import mpmath as mp

mp.mp.dps = 400  # σ(-700) is 1e-304


def text(value):
    return mp.nstr(value, 17)


def softplus(x):
    return mp.log1p(mp.exp(x))


def sigmoid(x):
    return 1 / (1 + mp.exp(-x))


def real(beta, ratio):
    return softplus(-beta * ratio), -beta * sigmoid(-beta * ratio)


def fake(alpha, beta, ratio):
    return alpha * softplus(beta * ratio), alpha * beta * sigmoid(beta * ratio)


def three_states():
    data, reference, model = ([mp.mpf(p) / 10 for p in ps] for ps in ((5, 3, 2), (2, 3, 5), (3, 4, 3)))
    ratios = [mp.log(p / q) for p, q in zip(model, reference)]
    for alpha, beta in ((1, "1"), (1, "0.5"), (6, "0.1"), (10, "0.02")):
        beta = mp.mpf(beta)
        both = [(real(beta, r), fake(alpha, beta, r)) for r in ratios]
        loss = sum(p * d[0] + q * f[0] for p, q, (d, f) in zip(data, reference, both))
        slopes = [p * d[1] + q * f[1] for p, q, (d, f) in zip(data, reference, both)]
        gradient = [s - p * sum(slopes) for s, p in zip(slopes, model)]
        print(alpha, beta, text(loss), [text(g) for g in gradient])


def tails():
    alpha, beta = mp.mpf("2.5"), mp.mpf("0.7")
    for ratio in (-1000, -50, -3, 0, mp.mpf("0.25"), 40, 1000):
        print(ratio, [text(v) for v in real(beta, ratio) + fake(alpha, beta, ratio)])


def example():
    beta, alpha = mp.mpf("0.1"), 6
    mean_real = sum(real(beta, r)[0] for r in (1, 3)) / 2
    mean_fake = sum(fake(alpha, beta, r)[0] for r in (-2, 0, 1)) / 3
    print("example", text(mean_real + mean_fake), text(real(beta, 1)[1] / 2))


three_states()
tails()
example()
