#!/usr/bin/env bash
# The main job: installs what is missing, builds, and runs a server with the Nexmark generator feeding live views.
# Arguments go to `monsoon demo` (for example: --data DIR --postgres 127.0.0.1:5440).
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh
export PATH="$HOME/.cargo/bin:$PATH"
exec cargo run --release --locked --bin monsoon -- demo "$@"
