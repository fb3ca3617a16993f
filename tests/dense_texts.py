"""Texts that are hard to speak whole: numbers, dates, names, addresses in dense rows; the same for the same seed."""

from __future__ import annotations

import csv
import json
import random
import string
from collections.abc import Callable

from tests.shared_data import data_path

_NAMES = ["Dr. Anne-Marie O’Neill", "José Ñáñez", "Nguyễn Văn An", "J. R. R. Tolkien", "Łukasz Żółć", "Mr. D'Arcy Jr."]
_NAMES += ["Björk Guðmundsdóttir", "Prof. Xi", "İsmail Yıldız", "St. John-Smythe", "MACLEOD", "Ștefan Țăranu"]
_WORDS = "the parcel went to and came back from a house at with order call on number page model flight".split()  # noqa: SIM905
_DRESSED = ["oﬃce", "𝐁𝐨𝐥𝐝", "Ⓐ①", "ｗｉｄｅ", "10²", "2½", "H₂O", "20℃", "№ 5", "ʜᴇʟʟᴏ", "α", "€5", "½"]
_FOREIGN = ["日本語", "Привет", "مرحبا", "안녕하세요", "Ελλάδα", "שלום", "ไทย", "नमस्ते"]


def dense_texts(count: int, seed: int = 0) -> list[str]:
    """``count`` texts: two of three made up, the others from the shared recordings' sentences and books."""
    rng = random.Random(seed)
    found = _known(rng)
    return [_made(rng) if n % 3 else found[n // 3 % len(found)] for n in range(count)]


def _known(rng: random.Random) -> list[str]:
    texts = data_path("sentences/harvard.txt").read_text(encoding="utf-8").splitlines()
    texts += data_path("sentences/tacotron_eval.txt").read_text(encoding="utf-8").splitlines()
    texts += json.loads(data_path("sentences/blns.json").read_text(encoding="utf-8"))
    for name, column in (("ljspeech_test", "text"), ("librispeech_pc_cross_sentence", "target_text")):
        with data_path(f"sentences/{name}.tsv").open(encoding="utf-8") as file:
            texts += [row[column] for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)]
    book = data_path("texts/gutenberg_35-0_the-time-machine.txt").read_text(encoding="utf-8")
    texts += [book[at : at + 3000] for at in range(0, len(book), 3000)]
    rng.shuffle(texts)
    return texts


def _made(rng: random.Random) -> str:
    """A few sentences of one to eighty dense things each, some of them in paragraphs or wrapped lines."""
    sentences = []
    for _ in range(rng.randint(1, 4)):
        things = [rng.choice(_THINGS)(rng) for _ in range(rng.choice((3, 13, 30, 80)))]
        sentences.append(
            rng.choice((", ", " ", "; ", " and ", "/", ",\n")).join(things) + rng.choice(".!?…:") * rng.randint(0, 1)
        )
    return rng.choice((" ", "\n", "\n\n", "\r\n\r\n")).join(sentences)


def _digits(rng: random.Random) -> str:
    return str(rng.randrange(10 ** rng.choice((2, 4, 10, 13, 20, 60))))


def _amount(rng: random.Random) -> str:
    return f"{rng.choice('$€£')}{rng.randrange(10**9):,}.{rng.randrange(100):02}"


def _date(rng: random.Random) -> str:
    day, month, year = rng.randint(1, 28), rng.randint(1, 12), rng.randint(1066, 2099)
    return rng.choice(
        (f"{day}/{month}/{year}", f"{year}-{month:02}-{day:02}T{day % 24:02}:{month:02}Z", f"Jan. {day}, {year}")
    )


def _address(rng: random.Random) -> str:
    path = "".join(rng.choices(string.ascii_letters + string.digits + "-_/.~%", k=rng.choice((5, 30, 120))))
    return rng.choice(
        (
            f"https://www.example{rng.randrange(99)}.com/{path}?q={path[:9]}&n=1#x",
            f"{path[:5]}x@mail.example.org",
            f"C:\\{path}",
        )
    )


def _code(rng: random.Random) -> str:
    return "-".join("".join(rng.choices(string.ascii_uppercase + string.digits, k=4)) for _ in range(rng.randint(1, 6)))


_THINGS: list[Callable[[random.Random], str]] = [
    _digits,
    _amount,
    _date,
    _address,
    _code,
    lambda rng: rng.choice(_NAMES),
    lambda rng: rng.choice(_WORDS),
    lambda rng: rng.choice(_WORDS),
    lambda rng: rng.choice(_DRESSED),
    lambda rng: rng.choice(
        (*_FOREIGN, "U.S.", "5 p.m.", "+1 (555) 010-" + _digits(rng)[:4], "---", "3.14159", "x" * 70)
    ),
]
