"""What scripts/eval_barge_in.py is made of: bundled sounds, planned dialogues, their run, accounts, tables, a plot."""
