"""WebSocket dialects: messages to audio and control, and back. Cores."""
