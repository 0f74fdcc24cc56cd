#!/usr/bin/env bash
# Everything that a change must pass, in the order in which it fails fastest. CI runs this same file.
set -euo pipefail
cd "$(dirname "$0")"

step() {
    printf '\n== %s\n' "$*"
    local start=$SECONDS
    "$@"
    printf '== %d s\n' "$((SECONDS - start))"
}

curves=$(mktemp -d)
bounds=$(mktemp -d)
trap 'rm -rf "$curves" "$bounds"' EXIT

step cargo fmt --all --check
step cargo clippy --workspace --all-targets --all-features -- -D warnings
step cargo clippy --no-default-features --lib -- -D warnings
step cargo test --release
# The other sets of features change neither formulas nor loops: the tests beside the code, without optimization, and the peers'
# numbers are enough.
step cargo test --all-features --lib --test golden
step cargo test --no-default-features --lib --test golden
# A user's program: a profile of its own with the two lines that make debug builds fast.
step cargo run --manifest-path tests/downstream/Cargo.toml --target-dir target/downstream
step env RUSTDOCFLAGS='-D warnings' cargo doc --no-deps --all-features
step cargo run --release --example loss_curves -- --quick --out "$curves"
step cargo run --release --example emd_bounds -- --quick --out "$bounds"
step cargo run --release --example fuzz -- --seconds 20 --seed 1
step cargo bench -- --test
printf '\nall checks passed in %d s\n' "$SECONDS"
