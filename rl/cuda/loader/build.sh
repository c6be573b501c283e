#!/bin/sh
# build.sh OUT_DIR: makes OUT_DIR/libcuda.a, which -lcuda finds when the folder is in CGO_LDFLAGS
set -eu
[ $# = 1 ] || { echo "usage: build.sh OUT_DIR" >&2; exit 2; }
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
mkdir -p "$1"
out=$(CDPATH= cd -- "$1" && pwd)

# the compiler runs inside OUT_DIR, so that no path of this machine ends up in the object file
cd "$out"
sh "$here/gen.sh" "$here/../include/cuda.h" > cudaload.c
${CC:-cc} -O2 -fPIC -Wall -c cudaload.c -o cudaload.o
rm -f libcuda.a
${AR:-ar} rcsD libcuda.a cudaload.o
