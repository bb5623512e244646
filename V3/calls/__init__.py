"""What a call decides: who answered, when to stop talking, what to say next. Cores."""
