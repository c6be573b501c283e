#!/usr/bin/env bash
# pack.sh ENGINE SAMPLE: fills bin/gpu-check with what tries a card out, bin/gpu-learn with what the learning run takes (each without
# a model and well under 64 MiB), and bin/gpu-learn-model with the sample model in two parts.
set -euo pipefail
[ $# = 2 ] || { echo "usage: pack.sh ENGINE SAMPLE" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
cd "$root/bin"
rm -rf gpu-check gpu-learn gpu-learn-model
mkdir -p gpu-check gpu-learn/engine gpu-learn/learn gpu-learn-model
cp longhand-trainer "$here/check.sh" "$root/rl/testdata/bench_torch.py" gpu-check/
cp longhand-cli longhand-trainer "$here/learn.sh" gpu-learn/
cp -a "$1"/*.so* gpu-learn/engine/
rm -f gpu-learn/engine/libllama-common.so* # of llama.cpp's own tools
cp "$root"/rl/testdata/learn/{train,held-out}.jsonl gpu-learn/learn/
[ ! -e "$2" ] || split -n 2 -d "$2" gpu-learn-model/part-
for f in gpu-check gpu-learn; do
  size=$(du -sm $f | cut -f1)
  [ "$size" -lt 56 ] || { echo "bin/$f has $size MiB; with the sources 64 may travel" >&2; exit 1; }
  echo "bin/$f: $size MiB"
done
echo "On a machine with a card: bin/gpu-check/check.sh OUT, and bin/gpu-learn/learn.sh bin/gpu-learn-model OUT"
