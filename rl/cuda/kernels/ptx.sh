#!/bin/sh
# ptx.sh OUT: compiles the kernels to PTX for compute capability 8.0. clang-19, no CUDA SDK: the text is the same on every machine.
set -eu
[ $# = 1 ] || { echo "usage: ptx.sh OUT" >&2; exit 2; }
out=$(CDPATH= cd -- "$(dirname -- "$1")" && pwd)/$(basename -- "$1")
cd "$(dirname -- "$0")"
clang++-19 -x cuda --cuda-device-only --cuda-gpu-arch=sm_80 -nocudainc -nocudalib --cuda-feature=+ptx70 -fdeclspec -std=c++17 -S -O3 -ffp-contract=fast -Wall kernels.cu -o "$out.raw"
sed -e '/^[[:space:]]*\/\/ \(begin\|end\) inline asm$/d' "$out.raw" > "$out" # half of the text says nothing else
rm "$out.raw"
