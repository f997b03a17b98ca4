#!/usr/bin/env bash
# Train on a Slurm cluster.
#
#   [GPUS=8 GPUS_PER_NODE=8 CPUS_PER_TASK=5 SRUN_ARGS="..."] \
#       bash tools/slurm_train.sh PARTITION JOB_NAME CONFIG WORK_DIR [arguments of train.py]
#
# GPUS is the number of processes over all nodes; with GPUS_PER_NODE=0 no GPU is asked for and they run on CPUs (gloo).
# Preemption: after SIGTERM or SIGUSR1 the tasks write a checkpoint and leave with 143 or 138. Slurm sends the second
# two minutes before the time limit with SRUN_ARGS="--signal=USR1@120". In a batch script with "#SBATCH --requeue" add
# ${SLURM_RESTART_COUNT:+--resume} to the arguments: Slurm sets that variable from the second start on, and --resume
# continues from the newest checkpoint of WORK_DIR. At a time limit Slurm does not requeue by itself:
#   bash tools/slurm_train.sh ... || { (($? == 138)) && scontrol requeue "$SLURM_JOB_ID"; }
exec bash "$(dirname "${BASH_SOURCE[0]}")/slurm_run.sh" train.py \
    'PARTITION JOB_NAME CONFIG WORK_DIR [arguments of train.py]' "$@"
