"""Managing memory: workloads that were recorded, what estimates need, strategies, what everything costs, and the comparison."""
