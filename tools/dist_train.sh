#!/usr/bin/env bash
# Train with several processes: one per GPU or, on a machine without any, GPUS processes on the CPU (gloo).
#
#   bash tools/dist_train.sh CONFIG GPUS [arguments of train.py]
#
# Several nodes: run it on each with NNODES, NODE_RANK (0 on the node MASTER_ADDR) and MASTER_ADDR set; GPUS is per node.
# PORT defaults to a free one on a single node and to 29500 on several. A process that fails ends all of them. After
# SIGTERM or SIGUSR1 they write a checkpoint and leave, for --resume, in 30 seconds, or as many as
# TORCH_ELASTIC_SHUTDOWN_TIMEOUT says. The exit code is torchrun's, 1 in each of these cases.
exec bash "$(dirname "${BASH_SOURCE[0]}")/dist_run.sh" train.py 1 'CONFIG GPUS [arguments of train.py]' "$@"
