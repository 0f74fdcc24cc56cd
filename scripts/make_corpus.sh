#!/usr/bin/env bash
# Makes examples/data/corpus.txt, the text that examples/loss_curves.rs learns from: the crate's own docs and sources, the
# first lines of each file, where its contracts stand. It was run once and the result is frozen, so that the curves of two
# versions of the crate can be compared; run it again only on purpose.
set -euo pipefail
cd "$(dirname "$0")/.."

lines=100 # of each file: enough for 200 to 400 kB in all

git ls-files README.md CONTRIBUTING.md CHANGELOG.md 'docs/*.md' 'src/*.rs' 'benches/*.rs' 'examples/*.rs' |
    LC_ALL=C sort | xargs head -q -n "$lines" >examples/data/corpus.txt
