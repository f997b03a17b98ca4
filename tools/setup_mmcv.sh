#!/usr/bin/env bash
# mmcv with its operators, from a wheel or from source. Part of tools/setup_env.sh, which sources it and provides
# ROOT, PY, STATE, LOG, STEP, STEPS, BUILD_MMCV, WHEEL_OFFERED, say, die, python_version and run_step.
# shellcheck disable=SC2154

check_compiler() {
  local headers
  local compiler=${CXX:-c++} # as torch chooses it
  command -v "${compiler%% *}" >/dev/null ||
    die "no C++ compiler ($compiler) and no wheel of mmcv for this Python: install one (Debian, Ubuntu: apt install g++) or name a folder with a wheel in PIP_FIND_LINKS"
  headers=$("$PY" -c 'import sysconfig; print(sysconfig.get_path("include"))')
  [[ -f $headers/Python.h ]] ||
    die "no Python.h in $headers, needed to build mmcv: install the headers (Debian, Ubuntu: apt install python$(python_version "$PY")-dev)"
}

find_wheel() { # is a wheel of mmcv offered for this Python?
  ! $BUILD_MMCV && "$PY" -m pip download --quiet --no-deps --only-binary :all: --dest "$STATE/offered" \
    -r "$ROOT"/requirements/mmcv.txt >>"$LOG" 2>&1
}

# From /: a folder named mmcv where the user stands would be imported instead.
mmcv_works() { (cd / && "$PY" -c 'import mmcv.ops') >>"$LOG" 2>&1; }

count_objects() {
  local plan total made
  plan=$(find "$SOURCE/build" -name build.ninja 2>/dev/null | head -n 1)
  [[ -n $plan ]] || return 0
  total=$(grep -c '^build .*\.o: ' "$plan" || true)
  made=$(find "$SOURCE/build" -name '*.o' | wc -l)
  printf '%d of %d files compiled' "$made" "$total"
}

# torch compiles for CUDA as soon as it sees a GPU, and stops when nvcc is missing or of another major version.
choose_mmcv_target() {
  local torch_cuda nvcc_cuda
  torch_cuda=$("$PY" -c 'import torch; print((torch.version.cuda or "").split(".")[0] if torch.cuda.is_available() else "")')
  [[ -n $torch_cuda && ${FORCE_CUDA:-0} != 1 ]] || return 0
  nvcc_cuda=$({ "${CUDA_HOME:-/usr/local/cuda}/bin/nvcc" --version || nvcc --version; } 2>/dev/null |
    sed -n 's/.*release \([0-9]*\)\..*/\1/p' || true)
  [[ $nvcc_cuda != "$torch_cuda" ]] || return 0
  say "note: nvcc $torch_cuda not found (found: ${nvcc_cuda:-none}): mmcv's operators are built for the CPU only"
  export CUDA_VISIBLE_DEVICES=''
}

fetch_mmcv() {
  rm -rf "$SOURCE.part"
  mkdir -p "$SOURCE.part"
  "$PY" -m pip download --no-deps --no-build-isolation --no-binary mmcv --dest "$SOURCE.part" -r "$ROOT"/requirements/mmcv.txt
  tar -xzf "$SOURCE.part"/mmcv-*.tar.gz -C "$SOURCE.part" --strip-components 1
  mv "$SOURCE.part" "$SOURCE"
}

build_mmcv() {
  local memory_gb
  check_compiler
  choose_mmcv_target
  # A compiler process of torch's headers takes up to 2 GB.
  memory_gb=$(awk '/MemTotal/ { print int($2 / 1048576) }' /proc/meminfo 2>/dev/null || echo 4)
  export MMCV_WITH_OPS=1
  export MAX_JOBS=${MAX_JOBS:-$("$PY" -c "import os; print(max(1, min(len(os.sched_getaffinity(0)), $memory_gb // 2)))")}
  # The folder is named after what the objects depend on: one from an earlier torch is not continued.
  SOURCE=$STATE/mmcv-$("$PY" -c 'import sys, torch; print("py%d%d-torch%s" % (*sys.version_info[:2], torch.__version__))')
  say "[$STEP/$STEPS] no wheel of mmcv is used: building it, 8 to 12 minutes on 2 cores"
  [[ -d $SOURCE ]] || run_step 'fetching the source of mmcv' fetch_mmcv
  # In the folder itself, not a copy, so that ninja continues an interrupted build.
  PROGRESS=count_objects run_step "building mmcv ($MAX_JOBS processes)" \
    "$PY" -m pip wheel --no-deps --no-build-isolation --wheel-dir "$SOURCE/dist" "$SOURCE"
  run_step 'installing the built mmcv' "$PY" -m pip install --no-deps --force-reinstall "$SOURCE"/dist/mmcv-*.whl
  mmcv_works || { tail -n 5 "$LOG" >&2; die "mmcv was built and does not import; the whole log: $LOG"; }
  rm -rf "$SOURCE"
}

install_mmcv() {
  if ! $BUILD_MMCV && mmcv_works && "$PY" -m pip install --no-deps --no-index -r "$ROOT"/requirements/mmcv.txt >>"$LOG" 2>&1; then
    say "[$STEP/$STEPS] mmcv is there"
    return
  fi
  if $WHEEL_OFFERED; then
    run_step 'mmcv from a wheel' "$PY" -m pip install --no-deps --force-reinstall --only-binary mmcv -r "$ROOT"/requirements/mmcv.txt
    if mmcv_works; then return; fi
    say 'note: the wheel of mmcv that pip found was built for another torch; building from source'
  fi
  build_mmcv
}
