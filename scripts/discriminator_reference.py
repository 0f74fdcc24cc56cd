"""Prints the values that the tests of discriminators expect, in src/ratio/ and src/preference/pairwise/softmax_hinge.rs, by
mpmath with 500 digits and by its own differentiation, not by our formulas of gradients."""

import mpmath as mp

mp.mp.dps = 500


def text(value):
    return mp.nstr(mp.mpf(value), 17, min_fixed=-5, max_fixed=16)


def sigmoid(x):
    return 1 / (1 + mp.exp(-x))


def softplus(x):
    return mp.log1p(mp.exp(x))


def show(name, values):
    print(name, ", ".join(text(value) for value in values))


def slopes(f, at):
    """Central differences: 500 digits leave 200 of them."""
    h = mp.mpf(10) ** -120
    found = []
    for i in range(len(at)):
        up, down = list(at), list(at)
        up[i], down[i] = at[i] + h, at[i] - h
        found.append((f(*up) - f(*down)) / (2 * h))
    return found


def softmax_hinge():
    for w, l in (("1.2", "0.5"), ("-3", "4"), ("0.25", "0.25"), ("-40", "0"), ("700", "0")):
        w, l = mp.mpf(w), mp.mpf(l)
        f = lambda w, l: max(mp.mpf(0), 1 - (mp.exp(w) - mp.exp(l)) / (mp.exp(w) + mp.exp(l)))
        show(f"softmax hinge {w} {l}:", [f(w, l), slopes(f, [w, l])[0]])


def nbpo():
    positive = lambda r, g: -mp.log(sigmoid(r) * (1 - sigmoid(g)))
    negative = lambda r, g: -mp.log(sigmoid(-r) + sigmoid(g) * sigmoid(r))
    points = [("0.4", "-0.8"), ("-3", "2"), ("5", "-6"), ("40", "-30"), ("-40", "30"), ("700", "-700"), ("-700", "3"), ("9", "9")]
    for r, g in points:
        at = [mp.mpf(r), mp.mpf(g)]
        show(f"nbpo {r} {g} +:", [positive(*at), *slopes(positive, at)])
        show(f"nbpo {r} {g} -:", [negative(*at), *slopes(negative, at)])


def nce():
    """One example with two negatives, and a normalizer."""
    noise = [mp.mpf(x) for x in ("-1", "-2", "-0.5")]

    def loss(*at):
        *scores, log_z = at
        p = [mp.exp(s - log_z) for s in scores]
        q = [2 * mp.exp(n) for n in noise]
        return -mp.log(p[0] / (p[0] + q[0])) - sum(mp.log(q[j] / (p[j] + q[j])) for j in (1, 2))

    at = [mp.mpf(x) for x in ("0.5", "-1", "2", "0.25")]
    show("nce:", [loss(*at), *slopes(loss, at)])


def ranking():
    noise = [mp.mpf(x) for x in ("-1", "-2", "-0.5")]
    u = lambda scores: [mp.exp(s - n) for s, n in zip(scores, noise)]
    loss = lambda *scores: -mp.log(u(scores)[0] / sum(u(scores)))
    at = [mp.mpf(x) for x in ("0.5", "-1", "2")]
    show("ranking nce:", [loss(*at), *slopes(loss, at)])


def relativistic():
    """Two real outputs, three generated ones, logistic, means on both sides."""

    def loss(*at):
        real, fake = at[:2], at[2:]
        mean = lambda side: sum(side) / len(side)
        return mean([softplus(-(c - mean(fake))) for c in real]) + mean([softplus(c - mean(real)) for c in fake])

    at = [mp.mpf(x) for x in ("1.5", "-0.25", "0.5", "-2", "0.75")]
    show("relativistic:", [loss(*at), *slopes(loss, at)])


def cosine(x, y):
    dot = lambda a, b: sum(p * q for p, q in zip(a, b))
    return dot(x, y) / mp.sqrt(dot(x, x) * dot(y, y))


def candidates():
    """Two embeddings, three candidates, the temperature 0.3."""
    at = [mp.mpf(x) for x in ("1", "2", "-0.5", "1.5", "2", "0.5", "-1", "1", "0.25", "-0.75", "0.3")]
    targets = (2, 0)

    def loss(*at):
        rows = [at[i : i + 2] for i in range(0, 10, 2)]
        total = mp.mpf(0)
        for x, y in zip(rows[:2], targets):
            logits = [mp.exp(cosine(x, c) / at[10]) for c in rows[2:]]
            total -= mp.log(logits[y] / sum(logits)) / 2
        return total

    show("candidates:", [loss(*at), *slopes(loss, at)])


def goals():
    """One pair, two samples of two elements: source, goal, negative."""
    at = [mp.mpf(x) for x in ("1", "2", "-0.5", "1.5", "2", "0.5", "-1", "1", "0.25", "-0.75", "3", "-1")]

    def parts(at):
        rows = [at[i : i + 2] for i in range(0, 12, 2)]
        good = [cosine(s, g) for s, g in zip(rows[:2], rows[2:4])]
        bad = [cosine(s, n) for s, n in zip(rows[:2], rows[4:])]
        return good, bad

    def before(*at):
        good, bad = parts(at)
        mean = lambda values: sum(values) / 2
        return -(mp.log(mean([sigmoid(c) for c in good])) + mp.log(1 - mean([sigmoid(c) for c in bad]))) / 2

    def each(*at):
        good, bad = parts(at)
        return -sum(mp.log(sigmoid(c)) + mp.log(1 - sigmoid(b)) for c, b in zip(good, bad)) / 4

    show("goals, before the log:", [before(*at), *slopes(before, at)])
    show("goals, per sample:", [each(*at), *slopes(each, at)])


softmax_hinge()
nbpo()
nce()
ranking()
relativistic()
candidates()
goals()
