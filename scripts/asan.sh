#!/usr/bin/env bash
# The tests under AddressSanitizer: every read and write of the kernels at every level, on x86-64 Linux.
#
#     scripts/asan.sh [what cargo test takes, as in: --lib simd]
#
# Not part of check.sh: it builds everything anew, in target/asan, and needs `-Z sanitizer`, an option of nightly that
# stable compilers take too once RUSTC_BOOTSTRAP says so; their distribution ships the sanitizer's library. Documentation
# tests are left out. It sees plain, unaligned and masked vector accesses, but not streaming stores, which the standard
# library writes in assembly: tests of those put values around the buffer and look at them.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ $# -eq 0 ]; then
    set -- --lib --tests
fi
export RUSTC_BOOTSTRAP=1
export RUSTFLAGS="-Zsanitizer=address -Cforce-frame-pointers=yes ${RUSTFLAGS:-}"
export ASAN_OPTIONS="detect_stack_use_after_return=1:${ASAN_OPTIONS:-}"
exec cargo test --target x86_64-unknown-linux-gnu --target-dir target/asan --all-features "$@"
