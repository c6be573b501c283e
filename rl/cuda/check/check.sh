#!/usr/bin/env bash
# check.sh [OUT]: tries a card out, in under nine minutes and without a network: the self-test, the speed of three shapes
# beside PyTorch + PEFT, the self-test under compute-sanitizer. Everything that is printed goes to OUT, too.
# SHAPES (default: 0.5b 1.5b 7b) says which sizes of Qwen2.5.
set -uo pipefail
cd "$(dirname "$0")"
out=${1:-out}
mkdir -p "$out"
shapes=${SHAPES-"0.5b 1.5b 7b"}
failed=0
say() { printf '\n== %s\n' "$*"; }
end=$((SECONDS + 510))
within() { # seconds, but no more than what is left of all
  local left=$((end - SECONDS)) status=0
  [ $left -gt 1 ] || { echo "left out: the time is up"; return 0; }
  timeout $(($1 < left ? $1 : left)) "${@:2}" || status=$?
  [ $status != 124 ] || echo "ended after its time"
  return $status
}
export CUDA_CACHE_PATH # empty, so that the first load of the kernels is the driver's own
CUDA_CACHE_PATH=$(mktemp -d)
trap 'rm -rf "$CUDA_CACHE_PATH"' EXIT

{
  say machine
  date -u +%F
  nvidia-smi --query-gpu=name,driver_version,memory.total,clocks.max.sm,power.limit --format=csv 2>&1
  ldd --version | head -1
  if [ -z "${CUBLAS_LIB:-}" ]; then # PyTorch's wheel brings one along
    CUBLAS_LIB=$(python3 -c 'import glob,sysconfig;print(next(iter(sorted(glob.glob(sysconfig.get_path("purelib")+"/nvidia/*/lib/libcublas.so.1?"),reverse=True)),""))' 2>/dev/null)
    [ -n "$CUBLAS_LIB" ] && export CUBLAS_LIB || unset CUBLAS_LIB
  fi
  echo "cuBLAS: ${CUBLAS_LIB:-as the loader finds it}"

  say "self-test"
  within 120 ./longhand-trainer selftest || failed=1

  for s in $shapes; do
    # two prompts with eight completions each, of 256 tokens; of the largest one prompt
    prompts=2
    [ "$s" = 7b ] && prompts=1
    shape="--shape qwen2.5-$s --prompts $prompts --group 8 --prompt 256 --tokens 256"
    say "qwen2.5-$s"
    within 120 ./longhand-trainer bench $shape --recompute never,always || failed=1
    say "PyTorch + PEFT, the same work: kept, then computed again"
    within 70 python3 bench_torch.py $shape --steps 7 --device cuda
    within 70 python3 bench_torch.py $shape --steps 7 --device cuda --recompute
  done

  if command -v compute-sanitizer >/dev/null; then
    for tool in memcheck racecheck; do # one case asks for more memory than there is: that error of the interface is meant
      say "compute-sanitizer, $tool, over the self-test"
      within 120 compute-sanitizer --tool $tool --report-api-errors no --error-exitcode 9 ./longhand-trainer selftest | tail -40
      [ "${PIPESTATUS[0]}" != 9 ] || failed=1
    done
  else
    say "compute-sanitizer is not on this machine"
  fi
  say "took $SECONDS s; failed: $failed"
  exit $failed
} 2>&1 | tee "$out/check.txt"
exit "${PIPESTATUS[0]}"
