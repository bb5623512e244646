"""Long runs under faults: who is called, what is broken, what is watched. Used by soak_calls.py and bench_faults.py."""
