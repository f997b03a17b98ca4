#!/usr/bin/env bash
# Test with several processes: one per GPU or, on a machine without any, GPUS processes on the CPU (gloo).
#
#   bash tools/dist_test.sh CONFIG CHECKPOINT GPUS [arguments of test.py]
#
# Environment: NNODES, NODE_RANK, MASTER_ADDR, PORT as in dist_train.sh.
exec bash "$(dirname "${BASH_SOURCE[0]}")/dist_run.sh" test.py 2 'CONFIG CHECKPOINT GPUS [arguments of test.py]' "$@"
