"""Expected values of the unit tests of `src/energy/`, with 50 digits.

    python -m venv VENV && VENV/bin/pip install mpmath
    VENV/bin/python scripts/energy_reference.py

Every formula is written here as the documentation has it, by plain sums; derivatives are those of mpmath.
"""

from mpmath import diff, exp, log, mp, mpf, pi, sin, sqrt

mp.dps = 50


def numbers(*values):
    return [mpf(value) for value in values]


def show(name, *values):
    print(f"{name:<32}", ", ".join(mp.nstr(value, 19) for value in values))


def slopes(f, at):
    """The derivatives of `f` by each of its arguments."""
    return [diff(f, tuple(at), tuple(int(i == k) for i in range(len(at)))) for k in range(len(at))]


def recovery():
    y, x = numbers("0.3", "-1.2", "2.5"), numbers("1.1", "-0.4", "-3.75")
    for sigma in numbers("0.07", "1.3", "250"):
        energy = lambda *y: mpf("-0.8") - sum((a - b) ** 2 for a, b in zip(x, y)) / (2 * sigma**2)
        show(f"recovery, sigma {sigma}", energy(*y), *slopes(energy, y))


def edm():
    denoised, clean = numbers("0.3", "-1.2", "2.5"), numbers("1.1", "-0.4", "-3.75")
    for sigma in numbers("0.002", "0.6", "80"):
        s = mpf("0.5")
        loss = lambda *d: (sigma**2 + s**2) / (sigma * s) ** 2 * sum((a - b) ** 2 for a, b in zip(d, clean))
        show(f"edm, sigma {sigma}", loss(*denoised), *slopes(loss, denoised))
        root = sqrt(sigma**2 + s**2)
        show("coefficients", s**2 / root**2, sigma * s / root, 1 / root, log(sigma) / 4)


def gammas():
    for t in numbers("0.001", "0.3", "0.875"):
        families = {
            "root of 2.5": lambda t: sqrt(mpf("2.5") * t * (1 - t)),
            "product": lambda t: t * (1 - t),
            "sine": lambda t: sin(pi * t) ** 2,
        }
        for name, gamma in families.items():
            show(f"{name}, t {t}", gamma(t), diff(gamma, t), gamma(t) * diff(gamma, t))


def interpolants():
    prediction, x0 = numbers("0.3", "-1.2"), numbers("1.1", "-0.4")
    x1, z, t = numbers("2", "0.5"), numbers("-1.5", "0.25"), mpf("0.3")
    gamma = lambda t: sin(pi * t) ** 2
    point = [(1 - t) * a + t * b + gamma(t) * c for a, b, c in zip(x0, x1, z)]
    show("point", *point)
    targets = {
        "velocity": [b - a + pi * sin(2 * pi * t) * c for a, b, c in zip(x0, x1, z)],
        "score": [-c / gamma(t) for c in z],
        "denoiser": z,
        "path velocity": [b - a for a, b in zip(x0, x1)],
    }
    for name, target in targets.items():
        loss = lambda *f: sum(a * a / 2 - a * b for a, b in zip(f, target))
        show(name, loss(*prediction), *slopes(loss, prediction))


def scores():
    score, z = numbers("0.3", "-1.2", "2.5"), numbers("1.1", "-0.4", "-3.75")
    for sigma in numbers("0.01", "1.7"):
        loss = lambda *s: sum((a + b / sigma) ** 2 for a, b in zip(s, z)) / 2
        show(f"denoising, sigma {sigma}", loss(*score), *slopes(loss, score))
    sliced = lambda *s: mpf("-1.25") + sum(a * b for a, b in zip(s, z)) ** 2 / 2
    show("sliced", sliced(*score), *slopes(sliced, score))


def grids():
    low, high = mpf("0.002"), mpf(80)
    for rho in (1, 7):
        root = lambda x: x ** (mpf(1) / rho)
        show(f"Karras, rho {rho}", *[(root(high) + mpf(i) / 4 * (root(low) - root(high))) ** rho for i in range(5)])
    show("guidance", *[mpf("1.5") * (1 - mpf(k) / 5 + mpf("0.3") * sin(pi * (k + 1) / 5)) for k in range(4)])
    low, high, t = mpf("1e-3"), mpf(1), mpf("0.4")
    total = low ** (1 - t) * high**t
    show("geometric schedule", total, 1 - exp(-total), total * log(high / low) / (exp(total) - 1))


def energies():
    x = numbers("0.3", "-1.2", "2.5")
    for tau in numbers("0.001", "0.7", "1e4"):
        energy = lambda *x: -tau * log(sum(exp(a / tau) for a in x))
        total = sum(exp(a / tau) for a in x)
        show(f"free energy, tau {tau}", energy(*x), *[-exp(a / tau) / total for a in x])


def advantages():
    ratios = [a - b for a, b in zip(numbers("-1.5", "-0.25", "-3", "-2"), numbers("0.5", "-1", "-2.75", "1"))]
    centered = [r - sum(ratios) / 4 for r in ratios]
    deviation = sqrt(sum(r * r for r in centered) / 3)
    show("centered", *centered)
    show("standardized", *[r / deviation for r in centered])


if __name__ == "__main__":
    for family in (recovery, edm, gammas, interpolants, scores, grids, energies, advantages):
        family()
