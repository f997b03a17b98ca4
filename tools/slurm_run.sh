#!/usr/bin/env bash
# What slurm_train.sh and slurm_test.sh share; not called directly.
#   slurm_run.sh SCRIPT USAGE <PARTITION JOB_NAME CONFIG FOURTH> [more arguments of SCRIPT]
# FOURTH is the work dir of train.py and the checkpoint of test.py.
set -euo pipefail

SCRIPT=$1 USAGE=$2
shift 2
NAME="slurm_${SCRIPT%.py}.sh"
if (($# < 4)); then
    echo "usage: bash tools/$NAME $USAGE" >&2
    exit 2
fi
PARTITION=$1 JOB_NAME=$2 CONFIG=$3 FOURTH=$4
shift 4
GPUS=${GPUS:-8}
GPUS_PER_NODE=${GPUS_PER_NODE:-8}
CPUS_PER_TASK=${CPUS_PER_TASK:-5}
for VARIABLE in GPUS GPUS_PER_NODE CPUS_PER_TASK; do
    if ! [[ ${!VARIABLE} =~ ^[0-9]+$ ]]; then
        echo "$NAME: $VARIABLE: '${!VARIABLE}' found, a whole number expected" >&2
        exit 2
    fi
done
if ((GPUS == 0 || CPUS_PER_TASK == 0)); then
    echo "$NAME: GPUS $GPUS, CPUS_PER_TASK $CPUS_PER_TASK found, numbers from 1 expected" >&2
    exit 2
fi

TOOLS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export PYTHONPATH="$TOOLS/..${PYTHONPATH:+:$PYTHONPATH}"
RESOURCES=(--ntasks="$GPUS" --cpus-per-task="$CPUS_PER_TASK")
if ((GPUS_PER_NODE > 0)); then
    PER_NODE=$((GPUS < GPUS_PER_NODE ? GPUS : GPUS_PER_NODE))
    RESOURCES+=(--gres="gpu:$PER_NODE" --ntasks-per-node="$PER_NODE")
fi
POSITIONAL=("$CONFIG" "$FOURTH")
[[ $SCRIPT == test.py ]] || POSITIONAL=("$CONFIG" --work-dir "$FOURTH")
# SRUN_ARGS is split into words on purpose. A task that fails ends the job: the others would wait for it.
# shellcheck disable=SC2086
exec srun --partition="$PARTITION" --job-name="$JOB_NAME" "${RESOURCES[@]}" --kill-on-bad-exit=1 ${SRUN_ARGS:-} \
    "${PYTHON:-python}" -u "$TOOLS/$SCRIPT" "${POSITIONAL[@]}" --launcher slurm "$@"
