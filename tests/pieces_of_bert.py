"""WordPiece over a small vocabulary, for the front ends of MeloTTS: BERT's own vocabularies are not shipped."""

from __future__ import annotations

from collections.abc import Callable, Iterable


def word_pieces(vocabulary: Iterable[str]) -> Callable[[str], list[str]]:
    """A tokenizer that knows the strings of ``vocabulary`` at the start of a word and within one. Other words are
    ``[UNK]``, and so is each of its words that has a part that it does not know."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordPiece
    from tokenizers.pre_tokenizers import BertPreTokenizer

    known = ["[UNK]", *(mark + piece for piece in vocabulary for mark in ("", "##"))]
    tokenizer = Tokenizer(WordPiece({piece: at for at, piece in enumerate(dict.fromkeys(known))}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = BertPreTokenizer()
    return lambda text: list(tokenizer.encode(text).tokens)
