#!/usr/bin/env bash
# Train on a Slurm cluster.
#
#   [GPUS=8 GPUS_PER_NODE=8 CPUS_PER_TASK=5 SRUN_ARGS="..."] \
#       bash tools/slurm_train.sh PARTITION JOB_NAME CONFIG WORK_DIR [arguments of train.py]
#
# GPUS is the number of processes over all nodes; with GPUS_PER_NODE=0 no GPU is asked for and they run on CPUs (gloo).
# Preemption: in a batch script with "#SBATCH --requeue" add ${SLURM_RESTART_COUNT:+--resume} to the arguments: Slurm
# sets that variable from the second start on, and --resume continues from the newest checkpoint of WORK_DIR. Slurm ends
# the tasks with SIGTERM; what was trained since the last checkpoint is lost, so choose the checkpoint interval by it.
set -euo pipefail

if (($# < 4)); then
    echo "usage: bash tools/slurm_train.sh PARTITION JOB_NAME CONFIG WORK_DIR [arguments of train.py]" >&2
    exit 2
fi
PARTITION=$1 JOB_NAME=$2 CONFIG=$3 WORK_DIR=$4
shift 4
GPUS=${GPUS:-8}
GPUS_PER_NODE=${GPUS_PER_NODE:-8}
CPUS_PER_TASK=${CPUS_PER_TASK:-5}
for NAME in GPUS GPUS_PER_NODE CPUS_PER_TASK; do
    if ! [[ ${!NAME} =~ ^[0-9]+$ ]]; then
        echo "slurm_train.sh: $NAME: '${!NAME}' found, a whole number expected" >&2
        exit 2
    fi
done
if ((GPUS == 0 || CPUS_PER_TASK == 0)); then
    echo "slurm_train.sh: GPUS $GPUS, CPUS_PER_TASK $CPUS_PER_TASK found, numbers from 1 expected" >&2
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
    "${PYTHON:-python}" -u "$TOOLS/train.py" "$CONFIG" --work-dir "$WORK_DIR" --launcher slurm "$@"
