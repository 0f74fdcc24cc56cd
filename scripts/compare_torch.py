"""Times this crate against torch, torch.compile and jax: on the same buffers, in one process, taking turns.

Run by hand on an idle Linux machine with 8 GiB of free memory, Rust, and a C++ compiler for torch.compile:

    python -m venv VENV && VENV/bin/pip install torch jax numpy
    VENV/bin/python scripts/compare_torch.py                                       tables in Markdown
    VENV/bin/python scripts/compare_torch.py --out docs/performance.md   also between the markers there
    VENV/bin/python scripts/compare_torch.py --only CrossEntropy                   operations that contain the word
    VENV/bin/python scripts/compare_torch.py --quick                               small: only shows that all works

There is one process for each number of threads and each size of pages, bound to as many cores as it has threads. Huge
pages take most of the price of fresh memory from those who allocate their results: `THP_MEM_ALLOC_ENABLE` asks torch for
them, a tunable of glibc asks malloc, by which jax allocates. The operations are those of compare_cases.py.
"""

import argparse
import datetime
import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PEERS = ["torch", "torch.compile", "jax"]
HUGE_PAGES = {"THP_MEM_ALLOC_ENABLE": "1", "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}

Row = tuple[str, str]  # operation and shape
Times = dict[Row, dict[str, float]]  # seconds of each library


def output(*command: str) -> str:
    return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout


def build() -> str:
    """Path of the shared library."""
    output("cargo", "build", "--release", "--example", "c_abi")
    target = json.loads(output("cargo", "metadata", "--format-version=1", "--no-deps"))["target_directory"]
    return str(Path(target) / "release/examples/libc_abi.so")


def measure(library: str, options: list[str], threads: int, pages: dict[str, str]) -> Times:
    """The times of one process."""
    cores = os.sched_getaffinity(0)
    numbers = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"), str(threads))
    command = [sys.executable, str(ROOT / "scripts/compare_cases.py"), library, *options]
    os.sched_setaffinity(0, sorted(cores)[:threads])  # the process inherits it; libraries count the cores they may use
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | numbers | pages)
    os.sched_setaffinity(0, cores)
    times: Times = {}
    for line in process.stdout or ():
        row = json.loads(line)
        name, shape, error = row.pop("operation"), row.pop("shape"), row.pop("difference")
        times[name, shape] = row
        ours = f"{digits(1e3 * row['loglik'], 3)} ms, {error:.1e} of the largest number from torch"
        print(f"threads: {threads}, pages: {'huge' if pages else 'small'}: {name}, {shape}: {ours}", file=sys.stderr)
    if process.wait():
        raise SystemExit("the comparison failed")
    return times


def machine() -> str:
    """Processor, instruction set and cores: what times depend on, and nothing else of the machine."""
    lines = [line.split(":", 1) for line in Path("/proc/cpuinfo").read_text().splitlines() if ":" in line]
    info = {key.strip(): value.strip() for key, value in lines}
    flags = info.get("flags", info.get("Features", "")).split()
    instructions = {"avx512f": "AVX-512", "avx2": "AVX2", "asimd": "NEON"}
    words = [f"family {info['cpu family']}", f"model {info['model']}"] if "cpu family" in info else []
    words += [name for flag, name in instructions.items() if flag in flags][:1]
    return f"{info.get('model name', 'processor')} ({', '.join(words)}), {len(os.sched_getaffinity(0))} cores"


def provenance() -> str:
    packages = ", ".join(f"{package} {version(package)}" for package in ("torch", "jax"))
    return f"{machine()}; {packages}, rustc {output('rustc', '--version').split()[1]}; {datetime.date.today()}.\n"


def digits(number: float, count: int) -> str:
    """So many significant digits, without an exponent."""
    return f"{float(format(number, f'.{count}g')):g}"


def line(row: Row, small: dict[str, float], huge: dict[str, float]) -> str:
    """The time of the crate, and how many times as long each peer takes."""

    def ratio(times: dict[str, float], peer: str) -> str:
        return digits(times[peer] / times["loglik"], 2)

    ratios = [f"{ratio(small, peer)} ({ratio(huge, peer)})" if peer in small else "-" for peer in PEERS]
    return f"| {' | '.join([*row, digits(1e3 * small['loglik'], 3), *ratios])} |\n"


def table(threads: int, pages: list[Times]) -> str:
    """The table of so many threads."""
    head = (
        f"| {threads} thread{'s'[: threads - 1]} | shape | ms | {' | '.join(PEERS)} |\n|---|---|---:|---:|---:|---:|\n"
    )
    small, huge = pages
    return head + "".join(line(row, small[row], huge[row]) for row in small)


def rewrite(path: Path, text: str) -> None:
    """Puts the text between the markers of the file."""
    begin, end = "<!-- comparison: begin -->\n", "<!-- comparison: end -->"
    before, rest = path.read_text().split(begin, 1)
    path.write_text(f"{before}{begin}{text}{end}{rest.split(end, 1)[1]}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", metavar="WORD", help="operations whose names contain the word")
    parser.add_argument("--quick", action="store_true", help="small shapes and a single turn")
    parser.add_argument("--out", nargs="+", type=Path, default=[], metavar="FILE", help="files with markers to rewrite")
    options = parser.parse_args()
    passed = ["--quick"] * options.quick + (["--only", options.only] if options.only else [])
    if options.out and passed:
        parser.error("files hold the whole comparison: --out goes with neither --only nor --quick")
    library = build()
    times = {threads: [measure(library, passed, threads, pages) for pages in ({}, HUGE_PAGES)] for threads in (1, 2)}
    tables = [provenance(), *(table(threads, pages) for threads, pages in times.items())]
    whole = "\n".join(tables)
    print(whole)
    for path in options.out:
        rewrite(path, whole)


if __name__ == "__main__":
    main()
