#!/usr/bin/env bash
# Test on a Slurm cluster.
#
#   [GPUS=8 GPUS_PER_NODE=8 CPUS_PER_TASK=5 SRUN_ARGS="..."] \
#       bash tools/slurm_test.sh PARTITION JOB_NAME CONFIG CHECKPOINT [arguments of test.py]
#
# GPUS is the number of processes over all nodes; with GPUS_PER_NODE=0 no GPU is asked for and they run on CPUs (gloo).
set -euo pipefail

if (($# < 4)); then
    echo "usage: bash tools/slurm_test.sh PARTITION JOB_NAME CONFIG CHECKPOINT [arguments of test.py]" >&2
    exit 2
fi
PARTITION=$1 JOB_NAME=$2 CONFIG=$3 CHECKPOINT=$4
shift 4
GPUS=${GPUS:-8}
GPUS_PER_NODE=${GPUS_PER_NODE:-8}
CPUS_PER_TASK=${CPUS_PER_TASK:-5}
for NAME in GPUS GPUS_PER_NODE CPUS_PER_TASK; do
    if ! [[ ${!NAME} =~ ^[0-9]+$ ]]; then
        echo "slurm_test.sh: $NAME: '${!NAME}' found, a whole number expected" >&2
        exit 2
    fi
done
if ((GPUS == 0 || CPUS_PER_TASK == 0)); then
    echo "slurm_test.sh: GPUS $GPUS, CPUS_PER_TASK $CPUS_PER_TASK found, numbers from 1 expected" >&2
    exit 2
fi

TOOLS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export PYTHONPATH="$TOOLS/..${PYTHONPATH:+:$PYTHONPATH}"
RESOURCES=(--ntasks="$GPUS" --cpus-per-task="$CPUS_PER_TASK")
if ((GPUS_PER_NODE > 0)); then
    PER_NODE=$((GPUS < GPUS_PER_NODE ? GPUS : GPUS_PER_NODE))
    RESOURCES+=(--gres="gpu:$PER_NODE" --ntasks-per-node="$PER_NODE")
fi
# SRUN_ARGS is split into words on purpose. A task that fails ends the job: the others would wait for it.
# shellcheck disable=SC2086
exec srun --partition="$PARTITION" --job-name="$JOB_NAME" "${RESOURCES[@]}" --kill-on-bad-exit=1 ${SRUN_ARGS:-} \
    "${PYTHON:-python}" -u "$TOOLS/test.py" "$CONFIG" "$CHECKPOINT" --launcher slurm "$@"
