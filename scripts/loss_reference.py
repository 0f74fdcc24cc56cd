#!/usr/bin/env python3
"""Exact losses of the rows of src/logits/loss_error/rows.rs, by mpmath with 80 digits.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install mpmath
    /tmp/venv/bin/python scripts/loss_reference.py > src/logits/loss_error/rows.rs && cargo fmt

Logits are sums of twelve uniform numbers, 16 bits each, of mean 0 and standard deviation 3, with 39 further bits below,
made by integers and sums that round the same in any language; in f32 they are these numbers rounded. Up to two classes
are lifted to a logit of their own. An exact loss in f64 is an unevaluated sum of two f64.
"""

import math
import struct

from mpmath import mp, mpf

mp.dps = 80
MASK = (1 << 64) - 1


def single(x):
    return struct.unpack("f", struct.pack("f", x))[0]


def mix(n):
    """The finaliser of SplitMix64."""
    z = (n * 0x9E3779B97F4A7C15) & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def normal(v):
    words = [mix(4 * v + i + 1) for i in range(4)]
    quarters = sum((word >> shift) & 0xFFFF for word in words[:3] for shift in (0, 16, 32, 48))
    return 3.0 * (quarters / 65536.0 - 6.0) + math.ldexp(float(words[3] >> 11), -67)


class Row:
    """The exponentials of a row are summed once; 80 digits bear that most of the sum is taken off again."""

    def __init__(self, logits):
        self.logits = logits
        self.exps = [mp.exp(mpf(x)) for x in logits]
        self.total = mp.fsum(self.exps)

    def log_sum_without(self, place):
        return mp.log(self.total - self.exps[place])

    def nll(self, lifts, target):
        """The largest class and its others apart, so that the digits stay near zero."""
        total, at = self.total, self.logits[target]
        for place, logit in lifts:
            total += mp.exp(mpf(logit)) - self.exps[place]
            at = logit if place == target else at
        lifted = {place for place, _ in lifts}
        top = max([logit for _, logit in lifts] + [x for v, x in enumerate(self.logits) if v not in lifted])
        return (mpf(top) - mpf(at)) + mp.log1p((total - mp.exp(mpf(top))) / mp.exp(mpf(top)))


def row(kind, wide, narrow, lifts, target):
    exact = wide.nll(lifts, target)
    rounded = narrow.nll([(place, single(logit)) for place, logit in lifts], target)
    hi = float(exact)
    text = ", ".join(f"({place}, {logit!r})" for place, logit in lifts)
    print(f'    row("{kind}", {len(wide.logits)}, &[{text}], {target}, {float(rounded)!r}, ({hi!r}, {float(exact - mpf(hi))!r})),')


def main():
    print("//! Rows and their exact losses. Written by scripts/loss_reference.py; do not edit.")
    print("\n#![allow(clippy::excessive_precision)]\n")
    print("use super::{Row, row};\n")
    print("pub(super) const ROWS: &[Row] = &[")
    for classes in (10, 1000, 32000, 128256):
        base = [normal(v) for v in range(classes)]
        wide, narrow = Row(base), Row([single(x) for x in base])
        a, b = classes // 3, 2 * classes // 3 + 1
        order = sorted(range(classes), key=lambda v: -base[v])
        for target in (0, 1, 2, classes // 2, classes - 1):
            row("normal", wide, narrow, [], target)
        row("normal, target first", wide, narrow, [], order[0])
        row("normal, target second", wide, narrow, [], order[1])
        rest = wide.log_sum_without(a)
        for loss in ("1e-1", "1e-2", "1e-3", "1e-6", "1e-9", "1e-12"):
            logit = round(float(rest - mp.log(mpf(loss))), 3)
            row(f"target certain to {loss}", wide, narrow, [(a, logit)], a)
        certain = round(float(rest) + 20.0, 3)
        row("target second to a certain class", wide, narrow, [(a, certain)], order[0] if order[0] != a else order[1])
        row("target second by a hair", wide, narrow, [(a, certain), (b, certain - 0.001)], b)
        row("target first by a hair", wide, narrow, [(a, certain), (b, certain - 0.001)], a)
        row("target in a tie", wide, narrow, [(a, certain), (b, certain)], b)
        row("target of no mass", wide, narrow, [(a, certain), (b, -80.0)], b)
    print("];")


main()
