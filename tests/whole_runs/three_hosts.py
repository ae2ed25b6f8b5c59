"""A Ray cluster of processes that stand for hosts: `three_hosts.py COUNT CPUS`.

Prints its address; removes its last host at each line that it reads, and ends with the
input.
"""

import sys

from ray.cluster_utils import Cluster

if __name__ == "__main__":
    count, cpus = map(int, sys.argv[1:])
    cluster = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": cpus + 3, "include_dashboard": False},
    )
    others = [cluster.add_node(num_cpus=cpus) for _ in range(count - 1)]
    print(cluster.address, flush=True)
    for _ in sys.stdin:
        cluster.remove_node(others.pop(), allow_graceful=False)
        print("removed", flush=True)
    cluster.shutdown()
