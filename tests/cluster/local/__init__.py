"""The cluster of plain processes: a control plane and one node, root on Linux, nothing else."""
