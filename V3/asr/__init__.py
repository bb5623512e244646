"""Speech recognition: model, hypotheses, streaming sessions, batching."""
