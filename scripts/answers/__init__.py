"""Answer detection measured and tuned: recordings heard as a call hears them, accounts, training, plots."""
