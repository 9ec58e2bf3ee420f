#!/usr/bin/env bash
# Installs what is missing to build Monsoon on Debian or Ubuntu: compiler, libclang (for RocksDB), psql, Rust. Run by the other scripts.
set -euo pipefail

as_root() { if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi; }

missing=()
need() { # command package
  command -v "$1" >/dev/null 2>&1 || missing+=("$2")
}
need g++ build-essential
need make build-essential
need curl curl
need pkg-config pkg-config
need psql postgresql-client
need python3 python3
# libclang-cpp.so, which other packages bring, is not the library that RocksDB's bindings are generated with.
compgen -G '/usr/lib/llvm-*/lib/libclang[.-][0-9s]*' >/dev/null || missing+=(libclang-dev)
python3 -c 'import ensurepip, venv' >/dev/null 2>&1 || missing+=(python3-venv)

if [ ${#missing[@]} -gt 0 ]; then
  echo "setup: installing ${missing[*]}"
  as_root apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${missing[@]}" >/dev/null
fi

if ! command -v cargo >/dev/null 2>&1 && [ -x "$HOME/.cargo/bin/cargo" ]; then
  export PATH="$HOME/.cargo/bin:$PATH"
fi
if ! command -v cargo >/dev/null 2>&1; then
  echo "setup: installing Rust with rustup"
  curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y --profile minimal --default-toolchain none
fi
