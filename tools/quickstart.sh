#!/usr/bin/env bash
# From nothing to a trained and tested segmentation network, on scenes that are drawn on the fly.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
CONFIG=configs/erfnet/erfnet_1xb8-150i_streets-192x256.py
WORK_DIR=$ROOT/work_dirs/quickstart
SEED=''
PY=${MMSSL_VENV:-$ROOT/.venv}/bin/python
SETUP=()

usage() {
  cat <<TEXT
usage: bash tools/quickstart.sh [options] [-- options of tools/train.py]

Makes the environment (tools/setup_env.sh), trains ERFNet on procedural street scenes, tests it and draws
a picture. About 5 minutes on 2 cores after the installation. Leaves in work_dirs/quickstart:
  *.pth            checkpoints            per_class.txt    IoU of each class
  quickstart.png   photograph, truth and prediction side by side; pictures/ has all test images

  --seed N        random seed of the training (default: that of the config)
  --config FILE   another config (default: $CONFIG)
  --work-dir DIR  another folder for the results
  --venv DIR, --active, --python PATH   as in tools/setup_env.sh
  -h, --help      show this text

example: bash tools/quickstart.sh --seed 1 -- --cfg-options train_cfg.max_iters=100
TEXT
}

die() { printf 'error: %s\n' "$*" >&2; exit 1; }
absolute() { case $1 in /*) printf '%s' "$1" ;; *) printf '%s' "$PWD/$1" ;; esac; }

while [[ $# -gt 0 ]]; do
  case $1 in
    --seed | --config | --work-dir | --venv | --python)
      [[ $# -ge 2 ]] || die "$1 needs a value (see --help)"
      case $1 in
        --seed) SEED=$2 ;;
        --config) CONFIG=$(absolute "$2") ;;
        --work-dir) WORK_DIR=$(absolute "$2") ;;
        --venv) SETUP+=(--venv "$2"); PY=$(absolute "$2")/bin/python ;;
        --python) SETUP+=(--python "$2") ;;
      esac
      shift 2 ;;
    --active) SETUP+=(--active); PY=${VIRTUAL_ENV:-${CONDA_PREFIX:-}}/bin/python; shift ;;
    -h | --help) usage; exit 0 ;;
    --) shift; break ;;
    *) die "unknown option $1 (see --help; options of tools/train.py stand after --)" ;;
  esac
done
[[ -z $SEED || $SEED =~ ^[0-9]+$ ]] || die "--seed is '$SEED', expected a whole number"

bash "$ROOT"/tools/setup_env.sh ${SETUP[@]+"${SETUP[@]}"}
cd "$ROOT" # configs name their data relative to the repository
[[ $PY == /* ]] || PY=$(absolute "$PY")
[[ -f $CONFIG ]] || die "config not found: $CONFIG"

START=$SECONDS
# train.py takes --cfg-options once: the seed joins those of the caller.
TRAIN=()
for argument in "$@"; do
  TRAIN+=("$argument")
  [[ -z $SEED || $argument != --cfg-options ]] || { TRAIN+=("randomness.seed=$SEED"); SEED=''; }
done
[[ -z $SEED ]] || TRAIN+=(--cfg-options "randomness.seed=$SEED")
printf '\n== training: %s\n' "$CONFIG"
"$PY" tools/train.py "$CONFIG" --work-dir "$WORK_DIR" ${TRAIN[@]+"${TRAIN[@]}"}
# As trained, with all overrides; the Runner writes it into the folder of the run.
CONFIG=$WORK_DIR/$(basename "$CONFIG")
CHECKPOINT=$WORK_DIR/$(basename "$(cat "$WORK_DIR"/last_checkpoint)")

printf '\n== testing: %s\n' "$CHECKPOINT"
"$PY" tools/test.py "$CONFIG" "$CHECKPOINT" --work-dir "$WORK_DIR/test" --show-dir "$WORK_DIR/test/pictures"
mv -f "$WORK_DIR/test/pictures/sheet.png" "$WORK_DIR/quickstart.png"
"$PY" tools/quickstart.py "$WORK_DIR" --checkpoint "$CHECKPOINT" --seconds $((SECONDS - START))
