#!/usr/bin/env bash
# From nothing to two trained and tested segmentation networks, on scenes that are drawn on the fly: one learned from a
# few masks, the other from the same masks and, by ClassMix, from images without masks.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
SUPERVISED=configs/classmix/supervised_erfnet_1xb4-700i_streets-1of25-64x96.py
CLASSMIX=configs/classmix/classmix_erfnet_1xb4-700i_streets-1of25-64x96.py
CONFIG=''
WORK_DIR=$ROOT/work_dirs/quickstart
SEED=''
PY=${MMSSL_VENV:-$ROOT/.venv}/bin/python
SETUP=()

usage() {
  cat <<TEXT
usage: bash tools/quickstart.sh [options] [-- options of tools/train.py]

Makes the environment (tools/setup_env.sh), trains ERFNet on procedural street scenes twice, tests both
networks on the same scenes and compares them: supervised with the masks of a few scenes, and ClassMix
with the same masks and the other scenes without theirs. About 5 minutes on 2 cores after the
installation. Leaves in work_dirs/quickstart:
  comparison.txt           IoU of each class, supervised, ClassMix, and the difference
  comparison.json          the same numbers, configs, seeds, and the seconds of each part
  quickstart.png           photograph, truth and both predictions of the first test scenes
  supervised/, classmix/   checkpoints (*.pth), logs and the numbers of each network alone (test/)

  --seed N        random seed of the trainings (default: that of the configs)
  --config FILE   train, test and draw this recipe alone; then work_dirs/quickstart holds its checkpoints,
                  per_class.txt (IoU of each class), quickstart.png (photograph, truth, prediction) and
                  test/pictures/ (the same of all test images)
  --work-dir DIR  another folder for the results
  --venv DIR, --active, --python PATH   as in tools/setup_env.sh
  -h, --help      show this text

Options after -- go to both trainings. Every call trains anew, also after an interruption: what an earlier
call left may come from other code or options. Only the finished steps of the installation are kept.

examples:
  bash tools/quickstart.sh --seed 1
  bash tools/quickstart.sh --config configs/erfnet/erfnet_1xb8-150i_streets-192x256.py
  bash tools/quickstart.sh -- --cfg-options train_cfg.val_interval=100
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
for argument in "$@"; do
  [[ $argument != --work-dir && $argument != --work-dir=* ]] || die '--work-dir stands after --, expected before it'
done

bash "$ROOT"/tools/setup_env.sh ${SETUP[@]+"${SETUP[@]}"}
cd "$ROOT" # configs name their data relative to the repository
[[ $PY == /* ]] || PY=$(absolute "$PY")
CONFIGS=("$SUPERVISED" "$CLASSMIX")
[[ -z $CONFIG ]] || CONFIGS=("$CONFIG")
for file in "${CONFIGS[@]}"; do
  [[ -f $file ]] || die "config not found: $file"
done

# train.py takes --cfg-options once: the seed joins those of the caller.
TRAIN=()
for argument in "$@"; do
  TRAIN+=("$argument")
  [[ -z $SEED || $argument != --cfg-options ]] || { TRAIN+=("randomness.seed=$SEED"); SEED=''; }
done
[[ -z $SEED ]] || TRAIN+=(--cfg-options "randomness.seed=$SEED")
TIMES=()

timed() { # name of the part, command
  local name=$1 begin=$SECONDS
  shift
  "$@"
  TIMES+=("$name=$((SECONDS - begin))")
}

train() { # config, folder
  printf '\n== training: %s\n' "$1"
  "$PY" tools/train.py "$1" --work-dir "$2" ${TRAIN[@]+"${TRAIN[@]}"}
}

# What a training left in its folder. The config is as trained, with all overrides; the Runner writes it there.
trained_config() { printf '%s/%s' "$2" "$(basename "$1")"; }
last_checkpoint() { printf '%s/%s' "$1" "$(basename "$(cat "$1"/last_checkpoint)")"; }

evaluate() { # config that was trained, folder, options of tools/test.py
  local config checkpoint
  config=$(trained_config "$1" "$2")
  checkpoint=$(last_checkpoint "$2")
  printf '\n== testing: %s\n' "$checkpoint"
  "$PY" tools/test.py "$config" "$checkpoint" --work-dir "$2/test" "${@:3}"
}

START=$(date +%s)
if [[ -n $CONFIG ]]; then
  train "$CONFIG" "$WORK_DIR"
  evaluate "$CONFIG" "$WORK_DIR" --show-dir "$WORK_DIR/test/pictures"
  mv -f "$WORK_DIR/test/pictures/sheet.png" "$WORK_DIR/quickstart.png"
  "$PY" tools/quickstart.py table "$WORK_DIR" --checkpoint "$(last_checkpoint "$WORK_DIR")" --start "$START"
  exit
fi

# An interrupted call must not seem to end with the table of an earlier one.
rm -f "$WORK_DIR"/{comparison.txt,comparison.json,quickstart.png}
timed train_supervised train "$SUPERVISED" "$WORK_DIR/supervised"
timed train_classmix train "$CLASSMIX" "$WORK_DIR/classmix"
timed test_supervised evaluate "$SUPERVISED" "$WORK_DIR/supervised"
timed test_classmix evaluate "$CLASSMIX" "$WORK_DIR/classmix"
printf '\n== comparing\n'
"$PY" tools/quickstart.py comparison "$WORK_DIR" --start "$START" --seconds "${TIMES[@]}" \
  --supervised "$(trained_config "$SUPERVISED" "$WORK_DIR/supervised")" "$(last_checkpoint "$WORK_DIR/supervised")" \
  --classmix "$(trained_config "$CLASSMIX" "$WORK_DIR/classmix")" "$(last_checkpoint "$WORK_DIR/classmix")"
