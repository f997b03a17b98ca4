#!/usr/bin/env bash
# Test on a Slurm cluster.
#
#   [GPUS=8 GPUS_PER_NODE=8 CPUS_PER_TASK=5 SRUN_ARGS="..."] \
#       bash tools/slurm_test.sh PARTITION JOB_NAME CONFIG CHECKPOINT [arguments of test.py]
#
# GPUS is the number of processes over all nodes; with GPUS_PER_NODE=0 no GPU is asked for and they run on CPUs (gloo).
exec bash "$(dirname "${BASH_SOURCE[0]}")/slurm_run.sh" test.py \
    'PARTITION JOB_NAME CONFIG CHECKPOINT [arguments of test.py]' "$@"
