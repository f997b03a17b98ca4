#!/usr/bin/env bash
# What dist_train.sh and dist_test.sh share; not called directly.
#   dist_run.sh SCRIPT POSITIONALS USAGE <POSITIONALS arguments of SCRIPT> GPUS [more arguments of SCRIPT]
set -euo pipefail

SCRIPT=$1 POSITIONALS=$2 USAGE=$3
shift 3
NAME="dist_${SCRIPT%.py}.sh"
if (($# <= POSITIONALS)); then
    echo "usage: bash tools/$NAME $USAGE" >&2
    exit 2
fi
POSITIONAL=("${@:1:POSITIONALS}")
shift "$POSITIONALS"
GPUS=$1
shift
number() { # NAME VALUE SMALLEST
    if ! [[ $2 =~ ^[0-9]+$ ]] || (($2 < $3)); then
        echo "$NAME: $1: '$2' found, a whole number from $3 expected" >&2
        exit 2
    fi
}
NNODES=${NNODES:-1}
NODE_RANK=${NODE_RANK:-0}
number GPUS "$GPUS" 1
number NNODES "$NNODES" 1
number NODE_RANK "$NODE_RANK" 0
if ((NODE_RANK >= NNODES)); then
    echo "$NAME: NODE_RANK: $NODE_RANK found, below NNODES ($NNODES) expected" >&2
    exit 2
fi

TOOLS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export PYTHONPATH="$TOOLS/..${PYTHONPATH:+:$PYTHONPATH}"
PYTHON=${PYTHON:-python}

if [[ -n ${PORT:-} ]]; then
    number PORT "$PORT" 1
fi
if ((NNODES == 1)) && [[ -z ${PORT:-} ]]; then
    # Port 0: the system gives a free one, so that two jobs on one machine do not meet.
    RENDEZVOUS=(--nnodes 1 --rdzv-backend c10d --rdzv-endpoint localhost:0 --local-addr localhost)
else
    if ((NNODES > 1)) && [[ -z ${MASTER_ADDR:-} ]]; then
        echo "$NAME: MASTER_ADDR is not set, the address of the node with NODE_RANK=0 expected (NNODES=$NNODES)" >&2
        exit 2
    fi
    RENDEZVOUS=(--nnodes "$NNODES" --node-rank "$NODE_RANK"
        --master-addr "${MASTER_ADDR:-127.0.0.1}" --master-port "${PORT:-29500}")
fi

# Also whether this torch lets the signals be chosen.
FOUND=$("$PYTHON" -c 'import torch, torch.distributed.launcher as launcher
print(torch.cuda.device_count(), hasattr(launcher.LaunchConfig, "signals_to_handle"))')
read -r VISIBLE SIGNALS <<< "$FOUND"
if ((VISIBLE == 0)); then
    # torchrun would set one thread for each process, which leaves cores idle.
    CORES=$("$PYTHON" -c 'import os; print(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count())')
    export OMP_NUM_THREADS=${OMP_NUM_THREADS:-$((CORES / GPUS > 0 ? CORES / GPUS : 1))}
    echo "$NAME: no CUDA device, $GPUS processes on the CPU with $OMP_NUM_THREADS threads each (gloo)"
elif ((VISIBLE < GPUS)); then
    echo "$NAME: GPUS: $GPUS found, at most $VISIBLE (the visible CUDA devices) expected" >&2
    exit 2
fi

# torchrun passes these on to the processes; SIGUSR1 is how Slurm can warn of the end of a job.
if [[ $SIGNALS == True ]]; then
    RENDEZVOUS+=(--signals-to-handle SIGTERM,SIGINT,SIGHUP,SIGQUIT,SIGUSR1)
fi

exec "$PYTHON" -m torch.distributed.run "${RENDEZVOUS[@]}" --nproc-per-node "$GPUS" \
    "$TOOLS/$SCRIPT" "${POSITIONAL[@]}" --launcher pytorch "$@"
