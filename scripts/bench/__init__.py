"""What scripts/bench_streaming.py is made of: material, virtual clock, engines, accounts, report, plots."""
