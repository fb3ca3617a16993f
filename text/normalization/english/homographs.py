"""Words that are spelled alike and said differently: which reading the words around them ask for.

espeak-ng has both readings of most and decides by the word before. These rules look at three words before and one
behind. Where they do not know, espeak-ng decides. The readings are espeak-ng's own for American English.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from text.marks import inline
from text.normalization.tables import words
from text.source import Rewrite

#: Word: the reading of a noun or adjective, that of a verb, and which it is where no rule decides (n, v or -).
_NOUNS_AND_VERBS = """
advocate ˈædvəkət ˈædvəkˌeɪt n
affiliate ɐfˈɪlɪət ɐfˈɪlɪˌeɪt n
associate ɐsˈoʊʃɪət ɐsˈoʊsɪˌeɪt n
close klˈoʊs klˈoʊz -
compact kˈɑːmpækt kəmpˈækt n
conduct kˈɑːndʌkt kəndˈʌkt -
confines kˈɑːnfaɪnz kənfˈaɪnz -
conflict kˈɑːnflɪkt kənflˈɪkt -
conglomerate kəŋɡlˈɑːmɚɹət kəŋɡlˈɑːmɚɹˌeɪt n
conjugate kˈɑːndʒuːɡət kˈɑːndʒuːɡˌeɪt -
consummate kˈɑːnsəmət kˈɑːnsəmˌeɪt -
contract kˈɑːntɹækt kəntɹˈækt -
convert kˈɑːnvɜːt kənvˈɜːt -
correlate kˈɔɹɪlət kˈɔɹɪlˌeɪt v
decrease dˈiːkɹiːs dᵻkɹˈiːs -
defect dˈiːfɛkt dᵻfˈɛkt -
degenerate dᵻdʒˈɛnɚɹət dᵻdʒˈɛnɚɹˌeɪt -
delegate dˈɛlɪɡət dˈɛlɪɡˌeɪt n
diffuse dᵻfjˈuːs dᵻfjˈuːz -
duplicate dˈuːplᵻkət dˈuːplᵻkˌeɪt n
estimate ˈɛstᵻmət ˈɛstᵻmˌeɪt -
excuse ɛkskjˈuːs ɛkskjˈuːz -
expatriate ɛkspˈeɪtɹɪət ɛkspˈeɪtɹɪˌeɪt n
extract ˈɛkstɹækt ɛkstɹˈækt -
frequent fɹˈiːkwənt fɹiːkwˈɛnt n
impact ˈɪmpækt ɪmpˈækt -
implant ˈɪmplænt ɪmplˈænt -
import ˈɪmpɔːɹt ɪmpˈɔːɹt -
increase ˈɪŋkɹiːs ɪŋkɹˈiːs -
discard dˈɪskɑːɹd dɪskˈɑːɹd -
interchange ˈɪntɚtʃˌeɪndʒ ˌɪntɚtʃˈeɪndʒ n
insult ˈɪnsʌlt ɪnsˈʌlt -
isolate ˈaɪsələt ˈaɪsəlˌeɪt -
laminate lˈæmᵻnət lˈæmᵻnˌeɪt -
overthrow ˈoʊvɚθɹˌoʊ ˌoʊvɚθɹˈoʊ -
permit pˈɜːmɪt pɚmˈɪt -
precipitate pɹɪsˈɪpᵻtət pɹɪsˈɪpᵻtˌeɪt -
predicate pɹˈɛdᵻkət pɹˈɛdᵻkˌeɪt n
present pɹˈɛzənt pɹɪzˈɛnt -
produce pɹˈoʊduːs pɹədˈuːs -
protest pɹˈoʊtɛst pɹətˈɛst -
rebel ɹˈɛbəl ɹᵻbˈɛl -
recount ɹˈiːkaʊnt ɹᵻkˈaʊnt -
refund ɹˈiːfʌnd ɹᵻfˈʌnd -
reject ɹˈiːdʒɛkt ɹᵻdʒˈɛkt v
rerelease ɹˈiːɹᵻlˌiːs ɹˌiːɹᵻlˈiːs -
resume ɹˈɛzəmˌeɪ ɹᵻzˈuːm v
separate sˈɛpɹət sˈɛpɚɹˌeɪt -
subject sˈʌbdʒɛkt səbdʒˈɛkt -
syndicate sˈɪndᵻkət sˈɪndᵻkˌeɪt n
transform tɹˈænsfɔːɹm tɹænsfˈɔːɹm v
transplant tɹˈænsplænt tɹænsplˈænt -
transport tɹˈænspɔːɹt tɹænspˈɔːɹt -
wind wˈɪnd wˈaɪnd n
"""

_TABLE = {
    word: (noun, verb, default)
    for line in _NOUNS_AND_VERBS.strip().splitlines()
    for word, noun, verb, default in [line.split()]
}

_ARTICLES = frozenset(
    words("""
    a an the this these those my your his her its our their no any some each every another such what whose several many
    two three four one more most other own same new first second last next
    """)
)
_PREPOSITIONS = frozenset(
    words("""
    of in on at by with from for into about without per as during after before under over through between via against
    among towards toward onto upon within despite like than
    """)
)
_BEFORE_VERBS = frozenset(
    words("""
    to will would can could may might must shall should do does did don't doesn't didn't won't cannot can't couldn't
    wouldn't shouldn't let's let please we'll i'll you'll they'll he'll she'll it'll i'd we'd you'd they'd help helps
    """)
)
_SUBJECTS = frozenset(words("i you we they who"))
_OBJECTS = frozenset(words("him them me us himself herself itself themselves myself yourself ourselves it"))
_ADVERBS = frozenset(words("not also then now often always never only still just even soon simply already again"))
_BE = frozenset(
    words("am is are was were be been being 's 're isn't aren't wasn't weren't becomes become became get gets got")
)
_HAVE = frozenset(words("have has had having i've you've we've they've 've haven't hasn't hadn't"))
#: Nouns that end in s without being many, or that stand before nouns.
_NO_PLURALS = frozenset(
    words("sports news sales business goods arms physics series less plus various previous serious religious us")
)


@dataclass(frozen=True, slots=True)
class _Around:
    """A word of a text, and those around it, in small letters; "" beyond an end of the clause."""

    text: str
    found: Sequence[re.Match[str]]
    number: int

    def __getitem__(self, offset: int) -> str:
        """The word ``offset`` words on (or back)."""
        at = self.number + offset
        if not 0 <= at < len(self.found):
            return ""
        low, high = sorted((at, self.number))
        between = self.text[self.found[low].end() : self.found[high].start()] if high - low == 1 else ""
        if not between and abs(offset) > 1:
            between = "".join(self.text[self.found[n].end() : self.found[n + 1].start()] for n in range(low, high))
        return "" if _CLAUSE.search(between) else self.found[at][0].lower().replace("’", "'")

    @property
    def written(self) -> str:
        return self.found[self.number][0]

    @property
    def starts(self) -> bool:
        """Whether the word begins its sentence."""
        return (
            self.number == 0
            or _SENTENCE.search(self.text, self.found[self.number - 1].end(), self.found[self.number].start())
            is not None
        )

    def near(self, names: frozenset[str], size: int = 8) -> bool:
        """Whether one of ``names`` is within ``size`` words."""
        first = max(0, self.number - size)
        return any(word[0].lower() in names for word in self.found[first : self.number + size + 1])

    def verb_before(self) -> str:
        """The word before, without adverbs: will "not also" record."""
        offset = -1
        while offset > -4 and (self[offset] in _ADVERBS or (self[offset].endswith("ly") and len(self[offset]) > 4)):
            offset -= 1
        return self[offset]


_CLAUSE = re.compile(r"[.;:!?()—–]|--")
_SENTENCE = re.compile(r"[.!?]")


def _kind(at: _Around, default: str) -> str:
    """``v`` for a verb, ``n`` for a noun or adjective, ``""`` where it is not known."""
    last, before, behind = at[-1], at.verb_before(), at[1]
    if _asks_for_verb(at, before):
        return "v"
    if last in _ARTICLES or last in _PREPOSITIONS or last in _BE or last.endswith("'s"):
        return "n"
    if behind in _OBJECTS:
        return "v"
    many = _is_many(before)
    if behind in _ARTICLES:
        return "v" if many or last in ("and", "or", "") else ""
    if many and (default != "n" or last != before):
        return "v"
    if behind in ("of", "is", "was", "are", "were", "has", "had", "will"):
        return "n"
    if any(at[-back] in _ARTICLES for back in (2, 3)):
        return "n"
    return ""


def _asks_for_verb(at: _Around, before: str) -> bool:
    """``before``: the word before without adverbs."""
    return before in _BEFORE_VERBS or before in _SUBJECTS or (before in ("me", "us", "them", "him") and at[-2] in _LETS)


def _is_many(word: str) -> bool:
    return word.endswith("s") and not word.endswith(("ss", "us", "is", "'s")) and word not in _NO_PLURALS


_LETS = frozenset(words("let lets help helps helped make makes made watch watched"))


def _reading(at: _Around) -> str | None:
    word = at.written.lower()
    special = _SPECIAL.get(word)
    if special is not None:
        return special(at)
    noun, verb, default = _TABLE[word]
    kind = _kind(at, default) or default
    return {"n": noun, "v": verb}.get(kind)


# -- words with rules of their own


def _read(at: _Around) -> str | None:
    """She read it; they have read it; I read it yesterday."""
    before = at.verb_before()
    asked = before in _SUBJECTS or before in ("he", "she", "it")
    if before in _BEFORE_VERBS or (asked and at[-2] in _BEFORE_VERBS):
        return "ɹˈiːd"
    if before in _HAVE or before in _BE or before in ("he", "she", "it") or at[-1] in ("widely", "well"):
        return "ɹˈɛd"
    ahead = [at[n] for n in range(1, 9)]
    if before in _SUBJECTS and (set(ahead) & {"yesterday", "ago", "once"} or ("last" in ahead)):
        return "ɹˈɛd"
    past = [at[-n] for n in range(2, 9)]
    if at[-1] in ("and", "then", "but") and any(w.endswith("ed") or w in _PAST for w in past):
        return "ɹˈɛd"
    return None


_PAST = frozenset(words("took sat stood got went came found saw wrote said held"))


def _live(at: _Around) -> str | None:
    before, behind = at.verb_before(), at[1]
    if behind in _LIVE or at[-1] in (
        "go",
        "goes",
        "going",
        "went",
        "gone",
        "broadcast",
        "streamed",
        "recorded",
        "performed",
    ):
        return "lˈaɪv"
    if before in _BEFORE_VERBS or before in _SUBJECTS or at[-1] == "people":
        return "lˈɪv"
    if before in _BE or at[-1] in _ARTICLES or at[-1] == "current":
        return "lˈaɪv"
    return (
        "lˈɪv"
        if behind in ("in", "with", "near", "there", "here", "alone", "together", "without", "under", "among")
        else None
    )


_LIVE = frozenset(
    words("""
    music band bands show shows performance performances album albums dvd broadcast broadcasts stream streams streaming
    tv television audience audiences recording recordings version versions concert concerts video event events action
    coverage ammunition bait birth births wire wires session sessions updates feed data demo chat sports
    entertainment animals stock
    """)
)


def _lives(at: _Around) -> str | None:
    last, behind = at[-1], at[1]
    if (
        last in _ARTICLES
        or last in _PREPOSITIONS
        or last in ("human", "save", "saved", "saves", "people's")
        or last.endswith("'s")
    ):
        return "lˈaɪvz"
    if behind in (
        "in",
        "at",
        "with",
        "on",
        "near",
        "by",
        "alone",
        "here",
        "there",
        "up",
        "under",
        "inside",
        "off",
        "for",
    ):
        return "lˈɪvz"
    return "lˈɪvz" if last in ("he", "she", "it", "who", "that", "which", "still", "now") else None


_METALS = frozenset(
    words(
        "tin copper zinc mercury arsenic cadmium iron silver gold bismuth antimony tin metal metals pewters alloy toxic"
    )
)
_LEAD_BEHIND = frozenset(
    words("""
    pipe pipes paint paints content poisoning acid pencil pencils bullet bullets ore mine mines levels exposure oxide
    glass crystal shot weights toxicity contamination solder acetate battery
    """)
)


def _lead(at: _Around) -> str | None:
    before = at.verb_before()
    if _asks_for_verb(at, before):
        return "lˈiːd"
    if at[1] in _LEAD_BEHIND or at[-1] in ("containing", "contains", "contain", "molten", "leaded"):
        return "lˈɛd"
    return "lˈɛd" if at[-1] not in _ARTICLES and at[1] != "to" and at.near(_METALS) else "lˈiːd"


def _winds(at: _Around) -> str | None:
    around = at[1] in ("through", "around", "along", "up", "down", "its", "between", "past")
    return "wˈaɪndz" if around and at[-1] not in _ARTICLES and not at[-1].endswith(("ern", "ing", "y")) else "wˈɪndz"


def _wind(at: _Around) -> str | None:
    return "wˈaɪnd" if _asks_for_verb(at, at.verb_before()) else "wˈɪnd"


def _tear(at: _Around) -> str | None:
    if at[1] in ("gas", "duct", "ducts", "stained", "drop", "drops", "ran", "rolled", "fell", "from", "of"):
        return "tˈɪɹ"
    if _asks_for_verb(at, at.verb_before()) or (at[-1] == "and" and at[-2] == "wear"):
        return "tˈɛɹ"
    if at[1] in ("in", "down", "apart", "up", "off", "open", "away", "out") or at[-1] in (
        "muscle",
        "ligament",
        "acl",
        "meniscus",
    ):
        return "tˈɛɹ"
    return None


_AT_SEA = frozenset(
    words("ship ships boat boats stern hull vessel deck port starboard sail sails canoe damage damages aft submarine")
)


def _bow(at: _Around) -> str | None:
    before = at.verb_before()
    if at[1] in ("shock", "wave", "thruster") or _asks_for_verb(at, before):
        return "bˈaʊ"
    if (
        at[1] in ("tie", "ties", "and", "window", "string", "legged") and at[2] in ("", "arrow", "arrows", "string")
    ) or at[1] == "tie":
        return "bˈoʊ"
    if (at[-2] in ("take", "took", "takes", "taking", "gave", "with") and at[-1] == "a") or at.near(_AT_SEA):
        return "bˈaʊ"
    return "bˈoʊ" if at[-1] in _ARTICLES else None


def _minute(at: _Around) -> str | None:
    small = words("amounts amount details detail quantities particles traces differences changes fraction fractions")
    if at[1] in small or (at[-1] in _BE and not at[1]) or at[-1] in ("very", "extremely", "so"):
        return "maɪnjˈuːt"
    return None


def _content(at: _Around) -> str | None:
    happy = at[1] == "with" or at[-1] in _BE or at[-1] in ("feel", "felt", "quite", "perfectly", "seemed", "not")
    if at.verb_before() in ("to", "himself", "herself", "themselves"):
        happy = True
    return "kəntˈɛnt" if happy else "kˈɑːntɛnt"


def _bass(at: _Around) -> str | None:
    water = frozenset(
        words("fish fishing fisherman fishermen largemouth smallmouth striped lake river trout caught catch sea")
    )
    return "bˈæs" if at.near(water, 4) else "bˈeɪs"


def _dove(at: _Around) -> str | None:
    dived = at[-1] in ("he", "she", "it", "i", "we", "they", "who") or at[1] in (
        "into",
        "under",
        "down",
        "off",
        "headfirst",
    )
    return "dˈoʊv" if dived else "dˈʌv"


def _axes(at: _Around) -> str | None:
    lines = frozenset(
        words("axis x y z coordinate rotation rotate graph plot symmetry long multiple vertical horizontal orthogonal")
    )
    return "ˈæksiːz" if at.near(lines) else None


def _sake(at: _Around) -> str | None:
    reason = at[-1] in _ARTICLES or at[-1].endswith("'s") or at[-1] in ("for", "god's", "old")
    return "sˈeɪk" if reason else "sˈɑːki"


def _analyses(at: _Around) -> str | None:
    return "ˈænɐlˌaɪzᵻz" if at[-1] in ("he", "she", "it", "who", "which", "that") else "ɐnˈælɪsˌiːz"


def _aged(at: _Around) -> str | None:
    old = (
        at[-1] in ("the", "of", "for", "an", "his", "her")
        and not at[1].isdigit()
        and at[1] not in ("between", "over", "under")
    )
    return "ˈeɪdʒᵻd" if old else "ˈeɪdʒd"


def _reading_town(at: _Around) -> str | None:
    town = (
        at.written == "Reading" and not at.starts and at[-1] in ("in", "at", "near", "from", "to", "towards", "toward")
    )
    return "ɹˈɛdɪŋ" if town else None


def _ravel(at: _Around) -> str | None:
    return "ɹəvˈɛl" if at.written == "Ravel" and not at.starts else None


def _nestle(at: _Around) -> str | None:
    return "nˈɛsleɪ" if at.written == "Nestle" else None


_SPECIAL: dict[str, Callable[[_Around], str | None]] = {
    "read": _read, "live": _live, "lives": _lives, "lead": _lead, "winds": _winds, "wind": _wind,
    "tear": _tear, "bow": _bow, "minute": _minute, "content": _content, "bass": _bass, "dove": _dove,
    "axes": _axes, "sake": _sake, "analyses": _analyses, "aged": _aged, "reading": _reading_town,
    "ravel": _ravel, "nestle": _nestle,
}  # fmt: skip

_WORD = re.compile(r"[^\W_]+(?:['’][^\W\d_]+)?")
_ANY = frozenset(_TABLE) | frozenset(_SPECIAL)


#: Words that espeak-ng stresses where a text ends with them, as one does before inline phonemes.
_WEAK = {"a": "ɐ", "to": "tə", "can": "kæn", "have": "hæv", "has": "hɐz", "had": "hæd", "will": "wɪl", "i": "aɪ",
         "his": "hɪz", "that": "ðæt", "they": "ðeɪ", "this": "ðɪs", "those": "ðoʊz"}  # fmt: skip


def homographs(text: str) -> list[Rewrite]:
    """The homographs of ``text`` whose reading the words around them decide, as inline phonemes. Takes linear time."""
    found = list(_WORD.finditer(text))
    rewrites: list[Rewrite] = []
    for number, word in enumerate(found):
        if word[0].lower() not in _ANY:
            continue
        reading = _reading(_Around(text, found, number))
        if reading is None:
            continue
        start = word.start()
        weak = _WEAK.get(found[number - 1][0].lower()) if number else None
        if weak and text[found[number - 1].end() : start] == " " and found[number - 1].start() >= _end(rewrites):
            start, reading = found[number - 1].start(), f"{weak} {reading}"
        rewrites.append(Rewrite(start, word.end(), inline(reading)))
    return rewrites


def _end(rewrites: list[Rewrite]) -> int:
    return rewrites[-1].end if rewrites else 0
