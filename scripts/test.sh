#!/usr/bin/env bash
# The tests: installs what is missing, builds, and runs the default test suite. Arguments go to cargo test.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh
export PATH="$HOME/.cargo/bin:$PATH"
cargo build --release --locked --workspace
exec cargo test --release --locked --workspace "$@"
