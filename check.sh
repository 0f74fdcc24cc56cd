#!/usr/bin/env bash
# Everything that a change must pass, in the order in which it fails fastest. CI runs this same file.
set -euo pipefail
cd "$(dirname "$0")"
export CARGO_PROFILE_DEV_DEBUG=0 # nobody steps through these builds

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
# Everything on but threads, without optimization: the peers' numbers, and the tests beside what knows of threads or of the crate
# that multiplies matrices. Neither changes a formula.
step cargo test --no-default-features --features gemm,half,serde --test golden
step cargo test --no-default-features --features gemm,half,serde --lib -- \
    gemm parallel simd rowwise pointwise linear embedding contrastive metric ratio
# A user's program, outside of the workspace. Its own two lines make debug builds fast; here they are off, to compile less.
step cargo run --manifest-path tests/downstream/Cargo.toml --target-dir target/downstream \
    --config 'profile.dev.package.loglik.opt-level=0'
step env RUSTDOCFLAGS='-D warnings' cargo doc --no-deps --all-features
step cargo run --release --example loss_curves -- --quick --out "$curves"
step cargo run --release --example discriminator -- --quick --out "$curves"
step cargo run --release --example emd_bounds -- --quick --out "$bounds"
step cargo run --release --example fuzz -- --seconds 20 --seed 1
step cargo bench -- --test
printf '\nall checks passed in %d s\n' "$SECONDS"
