#!/usr/bin/env bash
# From nothing to a test run: the environment, ruff, pytest.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
PY=${MMSSL_VENV:-$ROOT/.venv}/bin/python
SETUP=()

usage() {
  cat <<TEXT
usage: bash tools/run_tests.sh [--venv DIR | --active | --python PATH] [--faults] [options of pytest]

Makes the environment where it is missing (tools/setup_env.sh), then runs ruff and pytest from the root of
the repository. Two processes where there are two cores; -n 0 as an option of pytest uses one. With --faults it runs
the fault suite (docs/reliability.md): kills, full disks, damaged files, malicious checkpoints and signals, counted.

examples: bash tools/run_tests.sh
          bash tools/run_tests.sh --faults
          bash tools/run_tests.sh tests/test_models -k erfnet -n 0
TEXT
}

die() { printf 'error: %s\n' "$*" >&2; exit 1; }

while [[ $# -gt 0 ]]; do
  case $1 in
    --venv | --python)
      [[ $# -ge 2 ]] || die "$1 needs a value (see --help)"
      [[ $1 == --python ]] || PY=$2/bin/python
      SETUP+=("$1" "$2"); shift 2 ;;
    --active) SETUP+=(--active); PY=${VIRTUAL_ENV:-${CONDA_PREFIX:-}}/bin/python; shift ;;
    -h | --help) usage; exit 0 ;;
    *) break ;;
  esac
done
[[ $PY == /* ]] || PY=$PWD/$PY

bash "$ROOT"/tools/setup_env.sh ${SETUP[@]+"${SETUP[@]}"}
cd "$ROOT"
# The tests are many small calls; more threads than cores only wait for each other.
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
CORES=$("$PY" -c 'import os; print(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count())')
PROCESSES=()
[[ $CORES -lt 2 ]] || PROCESSES=(-n 2)

"$PY" -m ruff check .
"$PY" -m ruff format --check .
exec "$PY" -m pytest ${PROCESSES[@]+"${PROCESSES[@]}"} "$@"
