"""Text to the inputs of a voice of MeloTTS, on the CPU worker."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property, lru_cache
from typing import Any

from core.errors import ConfigurationError, InvalidRequest, InvalidText, WeightsError
from models.base import Frontend
from models.melo.config import (
    BertConfiguration,
    Configuration,
    TokenizerConfiguration,
    read_bert_configuration,
    read_configuration,
    read_tokenizer_configuration,
)
from models.melo.languages.spelling import Spelling
from models.melo.table import Language, language_of
from models.melo.tokenizer import Tokenizer
from models.shared.speakers import speaker_number
from models.shared.tokens import check_length, symbols_of, with_blanks
from models.vits.rows import MAX_TOKENS

#: Blanks counted, at a speed of 1.
TOKENS_PER_SECOND = 26.0

_PAD = "_"


class MeloFrontend(Frontend):
    """Phones and tones with blanks between them, and the pieces of text that BERT reads with the number of tokens that
    belong to each (``get_text_for_tts_infer`` of myshell-ai/MeloTTS, MIT)."""

    max_characters = 250

    @cached_property
    def config(self) -> Configuration:
        return read_configuration(self.files("config"))

    @cached_property
    def language(self) -> Language:
        """The one language of the entry. Raises `core.errors.ConfigurationError` if it has several."""
        found = {language_of(tag, self.spec.name) for tag in self.spec.languages}
        if len(found) != 1:
            raise ConfigurationError(f"{self.spec.name} must have one language, and not {len(found)}.")
        return found.pop()

    @cached_property
    def bert(self) -> BertConfiguration:
        return read_bert_configuration(self.files("bert_config"))

    @cached_property
    def tokenizer(self) -> Tokenizer:
        configured = (
            read_tokenizer_configuration(self.files("bert_tokenizer"))
            if "bert_tokenizer" in self.spec.weights
            else TokenizerConfiguration()
        )
        found = Tokenizer(self.files("bert_vocab"), configured, self.language)
        if (count := max(found.ids.values()) + 1) > self.bert.vocab_size:
            raise WeightsError(
                f"{self.spec.name}: the vocabulary has {count} pieces, its BERT only {self.bert.vocab_size}."
            )
        return found

    @cached_property
    def ids(self) -> Mapping[str, int]:
        """Symbol to id."""
        return {symbol: number for number, symbol in enumerate(self.config.symbols)}

    @property
    def takes_phonemes(self) -> bool:
        """In English, Spanish and French."""
        return self.language.phonemes

    def inputs(self, text: str, voice: str, language: str) -> dict[str, Any]:
        """``tokens``, ``tones`` (lists of int), ``language`` and ``speaker`` (int), ``pieces`` (ids of BERT's tokens)
        and ``word2ph`` (how many tokens each piece has).

        Raises `core.errors.InvalidText` where a word of ``text`` cannot be spoken or it is too long,
        `core.errors.InvalidRequest` for an unknown voice or language, `core.errors.ConfigurationError` where a library
        of the language is not installed."""
        data = self.config.data
        speaker = speaker_number(self.spec, voice, data.spk2id, data.n_speakers)
        if language_of(language, self.spec.name) is not self.language:
            raise InvalidRequest(f"{self.spec.name} does not speak {language[:40]!r}.", code="unknown_language")
        spelling = self._spelled(text)
        if lost := sorted({*spelling.phones} - self.ids.keys()):
            raise InvalidText(f"The voice has no sound for {lost[0]!r}.")
        tokens = [self.ids[phone] for phone in spelling.phones]
        tones = [tone + self.language.first_tone for tone in spelling.tones]
        word2ph = list(spelling.word2ph)
        if data.add_blank:
            tokens, tones = with_blanks(tokens), with_blanks(tones)
            word2ph = [2 * count for count in word2ph]
            word2ph[0] += 1
        check_length(tokens, MAX_TOKENS)
        check_length(spelling.pieces, self.bert.max_position_embeddings)
        unknown = self.tokenizer.ids["[UNK]"]
        return {
            "tokens": tokens,
            "tones": tones,
            "language": self.language.number_with(self.bert.hidden_size),
            "speaker": speaker,
            "pieces": [self.tokenizer.ids.get(piece, unknown) for piece in spelling.pieces],
            "word2ph": word2ph,
        }

    def seconds(self, inputs: Mapping[str, Any], options: Mapping[str, Any]) -> float:
        """By the tokens and ``speed``."""
        return len(inputs["tokens"]) / (TOKENS_PER_SECOND * float(options.get("speed", 1.0)))

    @cached_property
    def _names(self) -> dict[int, str]:
        return {number: symbol for symbol, number in self.ids.items() if symbol != _PAD}

    def symbols(self, inputs: Mapping[str, Any]) -> list[str]:
        """The phones."""
        return symbols_of(inputs["tokens"], self._names, blanks=self.config.data.add_blank)

    def phonemes(self, text: str, voice: str, language: str) -> str | None:
        """MeloTTS's phones: ARPABET in English, IPA in Spanish and French."""
        return " ".join(self._spelled(text).phones[1:-1]) if self.takes_phonemes else None

    @cached_property
    def _spelled(self) -> Callable[[str], Spelling]:
        """Phones and pieces of a text; those of the last one are kept."""
        return lru_cache(maxsize=1)(lambda text: self.language.spell(text, self.tokenizer.pieces))
