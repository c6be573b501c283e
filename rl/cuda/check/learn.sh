#!/usr/bin/env bash
# learn.sh MODEL_PARTS [OUT]: the learning run of the sample model on the card, rollouts by llama.cpp on the processor: half of
# the prompts ask for 30 to 50 words, half for 60 to 90 (rl/RESULTS.md has the same run on two cores). MODEL_PARTS is the folder of
# part-00 and part-01. A call takes nine minutes at most; where that is not enough, the next call with the same RUN (default: beside
# this script) goes on. STEPS (default 150) says how many steps.
set -euo pipefail
parts=$(cd "$1" && pwd)
cd "$(dirname "$0")"
out=${2:-out}
mkdir -p "$out"
out=$(cd "$out" && pwd)
run=${RUN:-$PWD/run}
work=${TMPDIR:-/tmp}/longhand-learn
mkdir -p "$work"
cat "$parts"/part-* > "$work/sample.gguf"
if [ -z "${CUBLAS_LIB:-}" ]; then
  CUBLAS_LIB=$(python3 -c 'import glob,sysconfig;print(next(iter(sorted(glob.glob(sysconfig.get_path("purelib")+"/nvidia/*/lib/libcublas.so.1?"),reverse=True)),""))' 2>/dev/null || true)
  [ -n "$CUBLAS_LIB" ] && export CUBLAS_LIB || unset CUBLAS_LIB
fi
export LONGHAND_LIBRARY=$PWD/engine LONGHAND_HOME=$work/home
how=(--prompts learn/train.jsonl --base "$work/sample.gguf" --rewards length=1 --max-tokens 192 --lr 2e-4 --seed 1 --device "${DEVICE:-cuda}" --set rollout_weights=f16)
[ ! -e "$run/job.json" ] || how=(--resume)
status=0
timeout -s INT -k 60 "${SECONDS_AT_MOST:-500}" ./longhand-cli train --json "${how[@]}" --eval learn/held-out.jsonl --steps "${STEPS:-150}" --out "$run" > "$out/events.jsonl" || status=$?
cp "$run/metrics.jsonl" "$out/" || true
./longhand-cli bench learn --run "$run" --plot "$out/learn.png" | tee "$out/learn.txt" || echo "not at its end yet: call again with RUN=$run"
exit $status
