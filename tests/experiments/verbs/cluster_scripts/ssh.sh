#!/bin/bash
# two-words on hosts that ssh reaches, through Ray. Change what differs, then:
#
#     bash two-words.sh
#
# Needed: keys for ssh without a question; on every host, `munchausen` and `ray` of one
# environment in the PATH of a login shell; the first host reachable by the others under
# the name given here. The run directory is on the first host.
# The directory decides which run this is: the same script again continues it.
set -euo pipefail

head=127.0.0.1
others=(127.0.0.2 127.0.0.3)
port=27500 # the first of 500 ports of this run

# The token of this run's Ray. It goes through the input of ssh, so it is in no argument.
token=$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')

# Runs on the other hosts: Ray, again after each start of the one on the first host.
# When ssh is gone, so is the input, and this Ray ends.
read -r -d '' join_ray <<'END' || true
IFS= read -r RAY_AUTH_TOKEN
export RAY_AUTH_TOKEN RAY_AUTH_MODE=token RAY_USAGE_STATS_ENABLED=0 RAY_worker_niceness=0
exec 3<&0 </dev/null
ray=
trap 'kill $ray 2>/dev/null; exit' TERM
{ cat <&3 >/dev/null; kill -TERM $$; } 2>/dev/null &
while true; do
    until (exec 4<>"/dev/tcp/$0/$1") 2>/dev/null; do sleep 1; done
    ray start --block --address "$0:$1" --node-manager-port 27501 --object-manager-port 27502 --runtime-env-agent-port 27503 --dashboard-agent-grpc-port 27504 --dashboard-agent-listen-port 27505 --metrics-export-port 27506 --ray-client-server-port 27507 --dashboard-port 27508 --min-worker-port 27560 --max-worker-port 27999 --disable-usage-stats &
    ray=$!
    wait "$ray"
    sleep 1
done
END

# Runs on the first host: Ray, then the command, then the end of this Ray and no other.
# When ssh is gone, so is the input, and the run saves itself and ends.
read -r -d '' lead <<'END' || true
IFS= read -r RAY_AUTH_TOKEN
export RAY_AUTH_TOKEN RAY_AUTH_MODE=token RAY_USAGE_STATS_ENABLED=0 RAY_worker_niceness=0
exec 3<&0 </dev/null
temporary=$(mktemp -d /tmp/ray-XXXXXX)
ray start --head --block --port "$1" --temp-dir "$temporary" --node-manager-port 27501 --object-manager-port 27502 --runtime-env-agent-port 27503 --dashboard-agent-grpc-port 27504 --dashboard-agent-listen-port 27505 --metrics-export-port 27506 --ray-client-server-port 27507 --dashboard-port 27508 --min-worker-port 27560 --max-worker-port 27999 --disable-usage-stats &
ray=$!
until (exec 4<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; do
    kill -0 "$ray" || exit 1
    sleep 0.2
done
# The run refuses a cluster that is too small, so it waits for the other hosts. After
# 300 s it starts with those that are there.
joined() {
    ray status --address "$0:$1" 2>/dev/null | grep -cE '^ +[0-9]+ node_'
}
until [ "$(joined "$1")" -ge 3 ] || ((SECONDS > 300)); do
    sleep 1
done
munchausen train sac/gymnasium --environment.id my:Env-v0 --environment.kwargs.name 'it'"'"'s' \
    --launch ray --address "$0:$1" --ports 27510-27559 \
    --run-directory runs/two-words --resume auto --grace 100 --restarts 3 &
run=$!
{ cat <&3 >/dev/null; kill -TERM "$run"; } 2>/dev/null &
watch=$!
code=0
wait "$run" || code=$?
kill "$watch" "$ray" 2>/dev/null
wait "$ray"
rm -rf "$temporary"
exit "$code"
END

# A command line for a login shell of another host.
remote() {
    printf 'bash -l -c %q' "$1"
    printf ' %q' "${@:2}"
}

# The token, then nothing until the process of this script is gone.
input() {
    echo "$token"
    exec tail --pid=$$ -f /dev/null
}

# However the script ends, the hosts are told, and no ssh keeps its output open.
trap 'kill $(jobs -p) 2>/dev/null || true' EXIT
for host in "${others[@]}"; do
    ssh "$host" "$(remote "$join_ray" "$head" "$port")" < <(input) &
done
code=75
while [ "$code" = 75 ]; do # the run was told to end, and can be continued
    code=0
    ssh "$head" "$(remote "$lead" "$head" "$port")" < <(input) || code=$?
done
exit "$code"
