"""Golden files as they lie on disk: arrays in and out, numbers that are not finite as words."""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

SCHEMA = "loglik-golden/1"

Arrays = dict[str, np.ndarray]


class Case(NamedTuple):
    """One call and what it gives."""

    id: str
    params: dict
    inputs: Arrays
    outputs: Arrays
    rtol: float
    atol: float


class File(NamedTuple):
    """The cases of one objective."""

    objective: str
    source: str
    cases: list[Case]


def array(raw: dict) -> np.ndarray:
    """Whole numbers stay whole: lengths, classes, counts."""
    data = [float(x) if isinstance(x, str) else x for x in raw["data"]]
    whole = bool(data) and all(isinstance(x, int) for x in data)
    return np.array(data, np.int64 if whole else np.float64).reshape(raw["shape"])


def raw(numbers: np.ndarray) -> dict:
    data = [x if np.isfinite(x) else str(x) for x in numbers.ravel().tolist()]
    return {"shape": list(numbers.shape), "data": data}


def read(path: Path) -> File:
    file = json.loads(path.read_text())
    if file["schema"] != SCHEMA:
        raise ValueError(f"{path}: schema is {file['schema']!r}, expected {SCHEMA!r}")
    arrays = lambda named: {name: array(numbers) for name, numbers in named.items()}
    cases = [
        Case(c["id"], c["params"], arrays(c["inputs"]), arrays(c["outputs"]), c["rtol"], c["atol"]) for c in file["cases"]
    ]
    return File(file["objective"], file["source"], cases)


def write(path: Path, file: File) -> None:
    raws = lambda named: {name: raw(numbers) for name, numbers in named.items()}
    cases = [case._replace(inputs=raws(case.inputs), outputs=raws(case.outputs))._asdict() for case in file.cases]
    whole = {"schema": SCHEMA, "objective": file.objective, "source": file.source, "cases": cases}
    path.write_text(json.dumps(whole, separators=(",", ":"), allow_nan=False))
