#!/bin/bash
# mdqn-pong on 3 nodes of Slurm, through Ray. Change what differs at your site, then:
#
#     sbatch mdqn-pong.sh
#
# Needed: `munchausen` and `ray` of one environment in PATH on every node, and a run
# directory that the first node sees after a requeue (a shared file system).
# The directory decides which run this is: a job that is submitted again continues it.
#SBATCH --job-name=mdqn-pong
#SBATCH --nodes=3
#SBATCH --ntasks-per-node=1
# `ray symmetric-run` refuses a node with another Ray, and in the end it stops every Ray
# of this user there. A node of its own avoids both.
#SBATCH --exclusive
#SBATCH --partition=long
#SBATCH --gpus-per-node=1
# A notice 120 s before the end of the time, or at a preemption with a grace time: the
# run saves itself and ends with code 75, and this job goes back into the queue.
#SBATCH --signal=B:USR1@120
#SBATCH --requeue
#SBATCH --open-mode=append
set -euo pipefail

# 500 ports of 20000-29999, chosen by the number of this job.
blocks=$(((29999 - 20000 + 1) / 500))
port=$((20000 + SLURM_JOB_ID % blocks * 500))
# The first address of this node, which is the first of the job; the others must reach it.
head=$(hostname --all-ip-addresses | cut -d ' ' -f 1)

# The token of this job's Ray; srun hands the environment on, so it is in no argument.
RAY_AUTH_TOKEN=$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')
export RAY_AUTH_TOKEN RAY_AUTH_MODE=token RAY_USAGE_STATS_ENABLED=0 RAY_worker_niceness=0
export RAY_SYMMETRIC_RUN_CLUSTER_WAIT_TIMEOUT=300
# Paths of Ray's sockets must be short. Another user's Ray never has this folder.
temporary=/tmp/ray-$SLURM_JOB_ID

pid_file=$(mktemp)
notice() {
    if [ -s "$pid_file" ]; then
        kill -USR1 "$(cat "$pid_file")" || true
    else
        echo "a notice came before the run had started" >&2
        scontrol requeue "$SLURM_JOB_ID"
    fi
}
trap notice USR1
trap 'rm -f "$pid_file"' EXIT

# The command runs on the first node only; its process id is kept for the notice.
srun --nodes=3 --ntasks=3 --ntasks-per-node=1 --kill-on-bad-exit=0 \
    ray symmetric-run --address "$head:$port" --min-nodes 3 \
    --num-gpus 1 \
    --node-manager-port $((port + 1)) \
    --object-manager-port $((port + 2)) \
    --runtime-env-agent-port $((port + 3)) \
    --dashboard-agent-grpc-port $((port + 4)) \
    --dashboard-agent-listen-port $((port + 5)) \
    --metrics-export-port $((port + 6)) \
    --ray-client-server-port $((port + 7)) \
    --dashboard-port $((port + 8)) \
    --min-worker-port $((port + 60)) \
    --max-worker-port $((port + 499)) \
    --temp-dir "$temporary" --disable-usage-stats -- \
    bash -c 'echo $$ >"$0"; exec "$@"' "$pid_file" \
    munchausen train mdqn/pong --actors 64 \
    --launch ray --address "$head:$port" \
    --ports $((port + 10))-$((port + 59)) \
    --run-directory runs/mdqn-pong --resume auto --grace 100 --restarts 3 &
step=$!

# A trapped signal ends `wait`, so it is called until the step is gone.
code=0
wait "$step" || code=$?
while kill -0 "$step" 2>/dev/null; do
    code=0
    wait "$step" || code=$?
done
if [ ! -s "$pid_file" ] && [ "$code" = 0 ]; then
    echo "Ray did not start, so the run did not start; see the lines above" >&2
    code=1
fi
if [ "$code" = 75 ]; then # the run was told to end, and can be continued
    scontrol requeue "$SLURM_JOB_ID"
fi
exit "$code"
