"""BERT's tokens of a text (WordPiece), on the CPU worker."""

from __future__ import annotations

from pathlib import Path

from core.errors import WeightsError
from models.melo.config import TokenizerConfiguration
from models.melo.languages.spelling import FIRST_PIECE, LAST_PIECE, UNKNOWN_PIECE
from models.melo.table import Language


class Tokenizer:
    """The vocabulary of a BERT: cuts text into pieces, and knows their ids."""

    def __init__(self, vocabulary: Path, configuration: TokenizerConfiguration, language: Language) -> None:
        """Raises `core.errors.WeightsError` if ``vocabulary`` is not a ``vocab.txt``."""
        from tokenizers import Tokenizer as Rust
        from tokenizers import models, normalizers, pre_tokenizers

        try:
            words = vocabulary.read_text(encoding="utf-8").split("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise WeightsError(f"{vocabulary.name} is not the vocabulary of a BERT: {error}") from error
        ids = {word.removesuffix("\r"): number for number, word in enumerate(words) if word.strip("\r")}
        if missing := {FIRST_PIECE, LAST_PIECE, UNKNOWN_PIECE} - ids.keys():
            raise WeightsError(f"{vocabulary.name} is not the vocabulary of a BERT: it has no {', '.join(missing)}.")
        lowercase = language.lowercase if configuration.do_lower_case is None else configuration.do_lower_case
        self.ids = ids
        self._rust = Rust(models.WordPiece(ids, unk_token=UNKNOWN_PIECE, max_input_chars_per_word=100))
        if language.words:
            self._rust.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
        else:
            self._rust.normalizer = normalizers.BertNormalizer(
                handle_chinese_chars=configuration.tokenize_chinese_chars,
                strip_accents=configuration.strip_accents,
                lowercase=lowercase,
            )
            self._rust.pre_tokenizer = pre_tokenizers.BertPreTokenizer()

    def pieces(self, text: str) -> list[str]:
        """The pieces of ``text``, without ``[CLS]`` and ``[SEP]``."""
        return list(self._rust.encode(text, add_special_tokens=False).tokens)
