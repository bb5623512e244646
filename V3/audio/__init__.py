"""Sound as samples: formats, levels, voice activity. Cores."""
