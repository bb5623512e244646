"""Token ids: the shipped byte-level BPE with Whisper's special tokens, and the letters of the CTC helper."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tokenizers import Tokenizer

__all__ = ["CTC_LETTERS", "TIMESTAMP_S", "Tokens", "letters"]

TIMESTAMP_S: Final = 0.02
CTC_LETTERS: Final = " '-abcdefghijklmnopqrstuvwxyzàâäæçèéêëîïôöùûüÿœ"
_LETTER_IDS: Final = {letter: index + 1 for index, letter in enumerate(CTC_LETTERS)}  # 0 is the blank


def letters(text: str) -> list[int]:
    """The text as CTC targets; what is no letter is left out."""
    plain = " ".join("".join(letter if letter in _LETTER_IDS else " " for letter in text.lower()).split())
    return [_LETTER_IDS[letter] for letter in plain]


class Tokens:
    """Ids of one tokenizer.json."""

    def __init__(self, path: Path) -> None:
        self._tokenizer = Tokenizer.from_file(str(path))
        self.size = self._tokenizer.get_vocab_size()
        self.eot = self.special("<|endoftext|>")
        self.sot = self.special("<|startoftranscript|>")
        self.french = self.special("<|fr|>")
        self.transcribe = self.special("<|transcribe|>")
        self.previous = self.special("<|startofprev|>")
        self.no_speech = self.special("<|nospeech|>")
        self.no_timestamps = self.special("<|notimestamps|>")
        self._first_timestamp = self.special("<|0.00|>")

    def special(self, text: str) -> int:
        """The id of a special token. Raises ValueError where the tokenizer has none."""
        found = self._tokenizer.token_to_id(text)
        if found is None and text == "<|nospeech|>":
            found = self._tokenizer.token_to_id("<|nocaptions|>")  # its name in Hugging Face's files
        if found is None:
            raise ValueError(f"the tokenizer has no {text}")
        return int(found)

    def timestamp(self, seconds: float) -> int:
        """The timestamp token nearest to ``seconds`` (0 to 30)."""
        return self._first_timestamp + round(min(max(seconds, 0.0), 30.0) / TIMESTAMP_S)

    def encode(self, text: str) -> list[int]:
        """Ids of a text, which Whisper begins with a space."""
        return list(self._tokenizer.encode(" " + text.strip(), add_special_tokens=False).ids)

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids; special tokens are left out."""
        return str(self._tokenizer.decode([token for token in ids if token < self.eot])).strip()
