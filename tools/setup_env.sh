#!/usr/bin/env bash
# Makes the environment of mmssl: .venv with the tested set of requirements/, mmcv with its operators.
# Can be run again after an interruption: finished steps are found and kept, also half of mmcv's build.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
VENV=${MMSSL_VENV:-$ROOT/.venv}
PYTHON=''
ACTIVE=false
BUILD_MMCV=false
# Measured: 5.4 GB installed, and the archives beside it while they are unpacked.
MIN_DISK_GB=${MMSSL_MIN_DISK_GB:-8}

usage() {
  cat <<TEXT
usage: bash tools/setup_env.sh [options]

Installs torch, mmengine, mmcv, mmsegmentation, mmdet, mmpretrain and mmssl itself (editable) in the
versions of requirements/. A complete environment is left as it is.

  --venv DIR      environment to make or complete (default: .venv in the repository, or \$MMSSL_VENV)
  --active        use the active environment (venv or conda) instead
  --python PATH   Python to make the environment with (default: the first of python3.11, python3.12,
                  python3.10, python3 that is 3.10, 3.11 or 3.12 and has the module venv)
  --min-disk GB   free space that is asked for (default: 8, or \$MMSSL_MIN_DISK_GB; 0 skips the check)
  --build-mmcv    build mmcv from source, even where a wheel is offered or mmcv is installed
  -h, --help      show this text

A wheel of mmcv is used where pip finds one; name a folder of wheels in PIP_FIND_LINKS. Otherwise mmcv is
built from source: a C++ compiler, 8 to 12 minutes on 2 cores (MAX_JOBS limits the processes).
TEXT
}

say() { printf '%s\n' "$*"; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }
need_value() { [[ $2 -ge 2 ]] || die "$1 needs a value (see --help)"; }

while [[ $# -gt 0 ]]; do
  case $1 in
    --venv) need_value "$1" $#; VENV=$2; VENV_GIVEN=true; shift 2 ;;
    --python) need_value "$1" $#; PYTHON=$2; shift 2 ;;
    --min-disk) need_value "$1" $#; MIN_DISK_GB=$2; shift 2 ;;
    --active) ACTIVE=true; shift ;;
    --build-mmcv) BUILD_MMCV=true; shift ;;
    -h | --help) usage; exit 0 ;;
    *) die "unknown option $1 (see --help)" ;;
  esac
done
[[ $MIN_DISK_GB =~ ^[0-9]+$ ]] || die "--min-disk is '$MIN_DISK_GB', expected a whole number of GB"
if $ACTIVE; then
  [[ -z ${VENV_GIVEN:-} && -z $PYTHON ]] || die '--active does not go with --venv or --python'
  VENV=${VIRTUAL_ENV:-${CONDA_PREFIX:-}}
  [[ -n $VENV ]] || die '--active: no environment is active (neither VIRTUAL_ENV nor CONDA_PREFIX is set)'
fi
[[ $VENV == /* ]] || VENV=$PWD/$VENV

PY=$VENV/bin/python
STATE=$VENV/.mmssl-setup
LOG=$STATE/setup.log
CHILD=''
STEP=0
STEPS=6

# ---------------------------------------------------------------- one step: log, clock, last lines on failure

progress() { # LABEL SECONDS: the part of a step that is done, where it can be counted
  local part=''
  [[ -z ${PROGRESS:-} ]] || part=$($PROGRESS)
  printf '[%d/%d] %s  %d:%02d%s' "$STEP" "$STEPS" "$1" $(($2 / 60)) $(($2 % 60)) "${part:+  $part}"
}

run_step() { # LABEL COMMAND...: runs the command with its output in the log
  local label=$1 start=$SECONDS shown=-1 status=0 now
  shift
  printf '\n== %s: %s\n' "$label" "$*" >>"$LOG"
  [[ -t 1 ]] || say "[$STEP/$STEPS] $label ..."
  set -m # a process group of its own, so that an interruption ends the compilers too
  "$@" >>"$LOG" 2>&1 </dev/null &
  CHILD=$!
  set +m
  while kill -0 "$CHILD" 2>/dev/null; do
    sleep 0.2
    now=$((SECONDS - start))
    if [[ -t 1 ]]; then
      [[ $now -eq $shown ]] || printf '\r%s\033[K' "$(progress "$label" "$now")"
      shown=$now
    elif ((now >= shown + 30)); then
      [[ $shown -lt 0 ]] || say "$(progress "$label" "$now")"
      shown=$now
    fi
  done
  wait "$CHILD" || status=$?
  CHILD=''
  [[ ! -t 1 ]] || printf '\r\033[K'
  if [[ $status -ne 0 ]]; then
    tail -n 25 "$LOG" >&2
    die "$label failed (status $status); the whole log: $LOG"
  fi
  say "$(PROGRESS='' progress "$label" $((SECONDS - start))) done"
}

stop() {
  trap - INT TERM HUP
  [[ -z $CHILD ]] || { kill -TERM -- "-$CHILD" 2>/dev/null || true; wait "$CHILD" 2>/dev/null || true; }
  printf '\ninterrupted: run the same command again, what is finished is kept\n' >&2
  exit 130
}
trap stop INT TERM HUP

# ---------------------------------------------------------------- checks before the long work

python_version() { "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null || true; }
is_supported() { [[ $1 == 3.10 || $1 == 3.11 || $1 == 3.12 ]]; }

find_python() { # sets PYTHON
  local candidate version seen=''
  local candidates=(python3.11 python3.12 python3.10 python3)
  [[ -z $PYTHON ]] || candidates=("$PYTHON")
  for candidate in "${candidates[@]}"; do
    version=$(python_version "$candidate")
    if [[ -z $version ]]; then
      [[ -z $PYTHON ]] || die "--python $PYTHON does not run; expected Python 3.10, 3.11 or 3.12"
    elif ! is_supported "$version"; then
      seen+=" $candidate is $version;"
    elif ! "$candidate" -c 'import venv, ensurepip' 2>/dev/null; then
      seen+=" $candidate ($version) lacks the module venv (Debian, Ubuntu: apt install python$version-venv);"
    else
      PYTHON=$candidate
      return
    fi
  done
  die "no usable Python, expected 3.10, 3.11 or 3.12 with the module venv; found:${seen:- none;} --python names one"
}

check_python() {
  local version wanted
  if [[ -x $PY ]] && "$PY" -c '' 2>/dev/null; then
    version=$(python_version "$PY")
    is_supported "$version" || die "$VENV has Python $version, expected 3.10, 3.11 or 3.12: remove it or use --venv"
    if [[ -n $PYTHON ]]; then
      wanted=$(python_version "$PYTHON")
      [[ -n $wanted ]] || die "--python $PYTHON does not run; expected Python 3.10, 3.11 or 3.12"
      [[ $wanted == "$version" ]] || die "$VENV has Python $version, --python is $wanted: remove it or use --venv"
    fi
  elif $ACTIVE; then
    die "--active: $VENV has no working bin/python"
  elif [[ -e $VENV && ! -d $VENV ]]; then
    die "$VENV exists and is not a folder"
  elif [[ -d $VENV && ! -e $VENV/pyvenv.cfg && -n $(ls -A "$VENV") ]]; then
    die "$VENV exists and is not a Python environment: remove it or use --venv"
  else
    find_python
  fi
}

check_disk() {
  local place=$VENV free used=0
  while [[ ! -d $place ]]; do place=$(dirname "$place"); done
  [[ -w $place ]] || die "cannot write to $place"
  [[ $MIN_DISK_GB -gt 0 ]] || return 0
  free=$(df -Pk "$place" | awk 'NR == 2 { print int($4 / 1048576) }')
  # What an interrupted run has installed is not needed again.
  [[ ! -d $VENV ]] || used=$(du -sk "$VENV" | awk '{ print int($1 / 1048576) }')
  ((free + used >= MIN_DISK_GB)) ||
    die "$place has $free GB free, expected $((MIN_DISK_GB - used)) GB (--min-disk changes that)"
}

# shellcheck source=tools/setup_mmcv.sh
source "$ROOT"/tools/setup_mmcv.sh

# ---------------------------------------------------------------- the other steps

fingerprint() { # of all that the installed set depends on
  "$PY" - "$ROOT" <<'CODE'
import hashlib, pathlib, sys

root = pathlib.Path(sys.argv[1])
files = [*sorted(root.glob('requirements/*.txt')), root / 'setup.py', *sorted(root.glob('mmssl/*version*.py'))]
digest = hashlib.sha256(f'{root} {sys.version}'.encode())
for file in files:
    digest.update(file.name.encode() + file.read_bytes())
print(digest.hexdigest())
CODE
}

is_complete() { # the set was installed from these files, and the packages are still there
  [[ -f $STATE/complete ]] && [[ $(cat "$STATE/complete") == "$(fingerprint)" ]] &&
    (cd / && "$PY" -c 'import mmssl') 2>/dev/null
}

make_venv() {
  local clear=''
  if [[ ! -x $PY ]] || ! "$PY" -m pip --version >/dev/null 2>&1; then
    $ACTIVE && die "--active: $VENV has no pip"
    # find_python has not run when an interrupted run left an environment without pip.
    [[ -n $PYTHON ]] || find_python
    # A Python that is there and does not run (its base was removed) must be replaced, with all it holds.
    [[ ! -L $PY ]] || "$PY" -c '' 2>/dev/null || { say "note: $PY does not run; making $VENV anew"; clear=--clear; }
    "$PYTHON" -m venv ${clear:+"$clear"} "$VENV" || die "$PYTHON -m venv $VENV failed"
  fi
}

drop_half_installed() { # a package whose installation was cut off has no RECORD; pip would believe in it
  local info
  for info in "$VENV"/lib/python*/site-packages/*.dist-info; do
    [[ ! -d $info || -f $info/RECORD ]] || { say "note: removing the half-installed $(basename "$info")"; rm -rf "$info"; }
  done
}

check_opencv() {
  local output
  if output=$("$PY" -c 'import cv2' 2>&1); then return; fi
  [[ $output == *'cannot open shared object file'* ]] || { say "$output" >&2; die 'import cv2 fails'; }
  say "note: opencv-python needs a system library that is missing (${output##*ImportError: });"
  say '      its files are replaced by those of opencv-python-headless, which needs none'
  # opencv-python stays registered: mmengine and mmcv ask for it by that name.
  run_step 'opencv-python-headless' "$PY" -m pip install --no-deps --force-reinstall \
    "$(sed -n 's/^opencv-python==\([0-9.]*\).*/opencv-python-headless==\1/p' "$ROOT"/requirements/hosts.txt)"
  "$PY" -c 'import cv2' || die 'import cv2 fails with opencv-python-headless too'
}

check_dependencies() {
  "$PY" -m pip check >>"$LOG" 2>&1 && return
  "$PY" -m pip check >&2 || true
  # An environment of the user's own may hold packages that we know nothing about.
  $ACTIVE || die 'pip check finds conflicts'
  say 'note: pip check finds the conflicts above in the active environment'
}

check_python
if ! $BUILD_MMCV && [[ -x $PY ]] && is_complete; then
  say "environment is complete: $VENV"
  exit 0
fi
check_disk
make_venv
mkdir -p "$STATE"
if command -v flock >/dev/null; then
  exec 9>"$STATE/lock"
  flock -n 9 || die "another tools/setup_env.sh is at work in $VENV"
fi
rm -f "$STATE/complete"
export PATH=$VENV/bin:$PATH PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1
# Archives are unpacked beside the environment: /tmp is often too small for torch.
if [[ -z ${TMPDIR:-} ]]; then
  rm -rf "$STATE/tmp"
  mkdir -p "$STATE/tmp"
  export TMPDIR=$STATE/tmp
fi
printf '\n#### %s\n' "$(date)" >>"$LOG"
say "environment: $VENV, Python $(python_version "$PY"); log: $LOG"
$ACTIVE || drop_half_installed
WHEEL_OFFERED=false
if find_wheel; then WHEEL_OFFERED=true; else mmcv_works || check_compiler; fi

STEP=1 && run_step 'build tools' "$PY" -m pip install -r "$ROOT"/requirements/build.txt
STEP=2 && run_step 'torch and torchvision (about 3 GB to fetch)' "$PY" -m pip install -r "$ROOT"/requirements/torch.txt
STEP=3 && run_step 'mmengine, mmseg, mmdet, mmpretrain, test tools' "$PY" -m pip install -r "$ROOT"/requirements.txt \
  -r "$ROOT"/requirements/tests.txt -r "$ROOT"/requirements/lint.txt
check_opencv
STEP=4 && install_mmcv
STEP=5 && run_step 'mmssl (editable)' "$PY" -m pip install --no-deps --no-build-isolation --editable "$ROOT"
check_dependencies
STEP=6
say "[$STEP/$STEPS] checking that everything imports"
"$PY" "$ROOT"/tools/check_env.py || die 'the environment is not complete; see the table above'
rm -rf "$STATE/offered" "$STATE/tmp" "$STATE"/mmcv-*
fingerprint >"$STATE/complete"
$ACTIVE || say "done; activate it with: source $VENV/bin/activate"
