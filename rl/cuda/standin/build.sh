#!/bin/sh
# build.sh OUT_DIR [compiler flags...]: makes OUT_DIR/libcuda.so.1 and OUT_DIR/libcublas.so.12, for tests without a GPU
#
# kernels/kernels.cu, which includes all others, is compiled in as C++; where it is missing, every kernels/*.cu by itself.
# $KERNELS, a list of files with full paths, replaces them. For the sanitizers, add
#   -fsanitize=address,undefined -fno-omit-frame-pointer
# and run the program with LD_PRELOAD="$(g++ -print-file-name=libasan.so)", since it has no sanitizer of its own.
set -eu
[ $# -ge 1 ] || { echo "usage: build.sh OUT_DIR [compiler flags...]" >&2; exit 2; }
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
mkdir -p "$1"
out=$(CDPATH= cd -- "$1" && pwd)
shift
cd "$here"
cxx=${CXX:-g++}
base="-std=c++17 -O2 -g -fPIC -pthread -fvisibility=hidden -Wall -Wno-unknown-pragmas"

kernels=../kernels/kernels.cu
[ -f $kernels ] || kernels=$(echo ../kernels/*.cu)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
n=0
for cu in ${KERNELS-$kernels}; do
	[ -f "$cu" ] || continue
	n=$((n + 1))
	$cxx $base -DGPU_EMULATE -I../kernels "$@" -x c++ -c "$cu" -o "$tmp/k$n.o"
done
$cxx $base -DGPU_EMULATE -I../kernels -I../include "$@" -c driver.cc -o "$tmp/driver.o"
$cxx -shared -pthread -Wl,-soname,libcuda.so.1 "$@" "$tmp"/*.o -o "$out/libcuda.so.1"
$cxx $base "$@" -shared -Wl,-soname,libcublas.so.12 cublas.cc -o "$out/libcublas.so.12" -ldl
echo "stand-ins with $n kernel file(s) in $out"
