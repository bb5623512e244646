"""Speech-to-text, audio server and answer detection, under the names other programs use."""
