"""A self-hosted, French-first voicebot for FreeSWITCH with its own streaming speech-to-text."""

__version__ = "0.1.0"
