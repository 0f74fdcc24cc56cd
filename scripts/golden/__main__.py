"""The golden numbers of tests/golden/, asked of the peers again, or of inputs that nobody has seen.

Needs the peers, in an environment of their own (torch is large):

    python -m venv VENV && VENV/bin/pip install -r scripts/golden/requirements.txt
    VENV/bin/python scripts/golden check                         every stored case, by the peer that it names
    VENV/bin/python scripts/golden check tests/golden/dpo.json   these files
    VENV/bin/python scripts/golden write --seed 7 --out DIR      the same kinds of cases with fresh inputs
    LOGLIK_GOLDEN_DIR=DIR cargo test --release --test golden     this crate on them

`check` fails where a peer disagrees by more than the file's tolerance, gives other outputs, or does not exist. `write`
takes objectives by name, all without any. `*.edges` hold exact numbers, which no peer computes; both leave them alone.
"""

import argparse
import sys
import zlib
from pathlib import Path

import numpy as np

import contrastive
import metric_pml
import metric_sbert
import metric_torch
import diffusers_edm
import pot_transport
import redraw
import schema
import torch_discriminators
import torch_divergence
import torch_likelihood
import torch_logits
import trl_cpo
import trl_dpo
import trl_logits
import two_sample
from peer import Peer

GOLDEN = Path(__file__).resolve().parents[2] / "tests" / "golden"
FAMILIES = (
    *(torch_logits, torch_likelihood, torch_divergence, trl_logits, trl_dpo, trl_cpo, pot_transport),
    *(contrastive, diffusers_edm, metric_pml, metric_sbert, metric_torch, torch_discriminators),
    *(two_sample,),
)
PEERS = {name: peer for family in FAMILIES for name, peer in family.PEERS.items()}


class Disagreement(Exception):
    """Between a file and its peer."""


def stored() -> list[Path]:
    return sorted(path for path in GOLDEN.glob("*.json") if not path.stem.endswith(".edges"))


def shapes(outputs: schema.Arrays) -> dict:
    return {name: numbers.shape for name, numbers in outputs.items()}


def compare(got: np.ndarray, expected: np.ndarray, case: schema.Case) -> np.ndarray:
    """How far each number lies from the stored one, and how far it may; what is not finite must be equal."""
    with np.errstate(invalid="ignore"):
        apart = np.nan_to_num(np.abs(got - expected), nan=np.inf, posinf=np.inf)
        allowed = np.where(np.isfinite(expected), case.rtol * np.abs(expected) + case.atol, 0.0)
    equal = (got == expected) | (np.isnan(got) & np.isnan(expected))
    return np.stack([np.where(equal, 0.0, apart).ravel(), allowed.ravel()])


def against_peer(file: schema.File, peer: Peer) -> str:
    """What there is to say of a file that agrees."""
    found = []
    for case in file.cases:
        got = peer.call(**case.inputs, **case.params)
        if shapes(got) != shapes(case.outputs):
            raise Disagreement(f"{case.id} has {shapes(case.outputs)}, the peer gives {shapes(got)}")
        found += [compare(got[name], expected, case) for name, expected in case.outputs.items()]
    apart, allowed = np.concatenate(found, axis=1)
    text = f"{len(apart):>6} numbers, largest difference {apart.max():.1e}"
    if (apart > allowed).any():
        raise Disagreement(f"{text}, {(apart > allowed).sum()} of them wrong")
    return text if file.source == peer.source else f"{text}; the file is of {file.source!r}, this is {peer.source!r}"


def check(path: Path) -> bool:
    file = schema.read(path)
    try:
        if file.objective not in PEERS:
            raise Disagreement(f"no peer for {file.objective!r}")
        text, good = against_peer(file, PEERS[file.objective]), True
    except Disagreement as wrong:
        text, good = f"FAILS: {wrong}", False
    print(f"{path.stem:<28} {text}", flush=True)
    return good


def write(path: Path, seed: int, out: Path) -> None:
    file = schema.read(path)
    peer = PEERS[file.objective]
    random = np.random.default_rng([seed, zlib.crc32(file.objective.encode())])  # whatever else is asked for
    cases = []
    for case in file.cases:
        inputs = redraw.inputs(case, random)
        cases.append(case._replace(inputs=inputs, outputs=peer.call(**inputs, **case.params)))
    schema.write(out / path.name, schema.File(file.objective, peer.source, cases))
    print(f"{path.stem:<28} {len(cases):>3} cases", flush=True)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="golden", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    checking = verbs.add_parser("check")
    checking.add_argument("files", nargs="*", type=Path, metavar="FILE")
    writing = verbs.add_parser("write")
    writing.add_argument("--seed", type=int, required=True)
    writing.add_argument("--out", type=Path, required=True)
    writing.add_argument("objectives", nargs="*", metavar="OBJECTIVE")
    return parser.parse_args()


def main() -> int:
    asked = arguments()
    if asked.verb == "check":
        good = [check(path) for path in asked.files or stored()]
        print(f"{sum(good)} of {len(good)} files agree")
        return 0 if all(good) else 1
    unknown = set(asked.objectives) - {path.stem for path in stored()}
    if unknown:
        sys.exit(f"no golden file is named {', '.join(sorted(unknown))}")
    asked.out.mkdir(parents=True, exist_ok=True)
    for path in stored():
        if not asked.objectives or path.stem in asked.objectives:
            write(path, asked.seed, asked.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
