#!/usr/bin/env bash
# pack.sh ENGINE SAMPLE: fills bin/gpu-check with what tries a card out, without a model and under 64 MiB, and
# bin/gpu-check-model with the sample model in two parts, for the learning run.
set -euo pipefail
[ $# = 2 ] || { echo "usage: pack.sh ENGINE SAMPLE" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
to=$root/bin/gpu-check
rm -rf "$to" "$root/bin/gpu-check-model"
mkdir -p "$to/engine" "$to/learn" "$root/bin/gpu-check-model"
cp "$root/bin/longhand-cli" "$root/bin/longhand-trainer" "$here/check.sh" "$here/learn.sh" "$root/rl/testdata/bench_torch.py" "$to/"
cp -L "$1"/*.so* "$to/engine/"
cp "$root"/rl/testdata/learn/{train,held-out}.jsonl "$to/learn/"
if [ -e "$2" ]; then
  split -n 2 -d "$2" "$root/bin/gpu-check-model/part-"
fi
size=$(du -sm "$to" | cut -f1)
[ "$size" -lt 64 ] || { echo "bin/gpu-check has $size MiB; 64 may travel" >&2; exit 1; }
echo "bin/gpu-check: $size MiB. On a machine with a card: bin/gpu-check/check.sh OUT"
