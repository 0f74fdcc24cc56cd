"""Prints the values that the tests of `ratio::two_sample` and `ratio::decision` expect: mpmath with 60 digits."""

import mpmath as mp

mp.mp.dps = 60


def text(value):
    return mp.nstr(value, 17)


def kernels():
    half = mp.mpf("0.7")
    cases = {
        "Gaussian": lambda r: mp.exp(-r * r / (2 * half**2)),
        "Laplace": lambda r: mp.exp(-r / half),
        "RationalQuadratic": lambda r: (1 + r * r / (2 * mp.mpf("1.5") * half**2)) ** mp.mpf("-1.5"),
    }
    for name, kernel in cases.items():
        for r in ("0.25", "3", "20"):
            print(name, r, text(kernel(mp.mpf(r))), text(mp.diff(kernel, mp.mpf(r))))


def tails():
    for x, k in (("0.001", 1), ("3.2", 1), ("500", 1), ("0.5", 2), ("1400", 2), ("4.5", 3), ("30", 7), ("80", 31),
                 ("90", 100), ("400", 101), ("1000", 1000), ("1003000", 1000000), ("990000", 999999)):
        print(f"({x}, {k}, {text(mp.gammainc(mp.mpf(k) / 2, mp.mpf(x) / 2, regularized=True))}),")


kernels()
tails()
