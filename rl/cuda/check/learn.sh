#!/usr/bin/env bash
# learn.sh MODEL_PARTS [OUT]: the learning run of the sample model on the card, rollouts by llama.cpp on the processor: half of
# the prompts ask for 30 to 50 words, half for 60 to 90 (rl/RESULTS.md has the same run on two cores). MODEL_PARTS is the folder of
# part-00 and part-01. STEPS (default 150) says how many steps.
set -euo pipefail
parts=$(cd "$1" && pwd)
cd "$(dirname "$0")"
out=${2:-out}
mkdir -p "$out"
out=$(cd "$out" && pwd)
model=$(mktemp -d)/sample.gguf
trap 'rm -rf "$(dirname "$model")"' EXIT
cat "$parts"/part-* > "$model"
if [ -z "${CUBLAS_LIB:-}" ]; then
  CUBLAS_LIB=$(python3 -c 'import glob,sysconfig;print(next(iter(sorted(glob.glob(sysconfig.get_path("purelib")+"/nvidia/*/lib/libcublas.so.1?"),reverse=True)),""))' 2>/dev/null || true)
  [ -n "$CUBLAS_LIB" ] && export CUBLAS_LIB || unset CUBLAS_LIB
fi
export LONGHAND_LIBRARY=$PWD/engine LONGHAND_HOME=$out/home
run=$(mktemp -d)/run
timeout "${SECONDS_AT_MOST:-540}" ./longhand-cli train --json --device "${DEVICE:-cuda}" --prompts learn/train.jsonl --eval learn/held-out.jsonl --base "$model" \
  --rewards length=1 --max-tokens 192 --steps "${STEPS:-150}" --lr 2e-4 --seed 1 --set rollout_weights=f16 --out "$run" > "$out/events.jsonl"
./longhand-cli bench learn --run "$run" --plot "$out/learn.png" | tee "$out/learn.txt"
cp "$run/metrics.jsonl" "$out/"
rm -rf "$out/home" "$run"
