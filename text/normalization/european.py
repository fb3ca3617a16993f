"""Normalization of German, French, Spanish and Italian: what espeak-ng reads wrongly, and nothing else.

It reads their numbers well, whole and decimal, with their own commas and points, so that these stay digits. It does not
read dates, German years and ordinals, units, amounts with cents, abbreviations, the minus of French and Spanish, French
ordinals, nor Roman numerals but in Spanish and Italian.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from text.normalization.numbers import roman
from text.normalization.tables import table, words
from text.source import Rewrite

Say = Callable[["re.Match[str]"], str | None]

_NUMBER = r"(?:\d{1,3}(?:[.\u00a0\u202f ]\d{3})+|\d+)(?:,\d+)?"
_GERMAN_ONES = words("null eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn fünfzehn")
_GERMAN_ONES += words("sechzehn siebzehn achtzehn neunzehn")
_GERMAN_TENS = words("_ _ zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig")
_FRENCH = words("_ un deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize")


def german(number: int) -> str:
    """A number below a hundred: ``21`` is "einundzwanzig"."""
    if number < 20:
        return _GERMAN_ONES[number]
    tens, ones = divmod(number, 10)
    head = {0: "", 1: "einund"}.get(ones, f"{_GERMAN_ONES[ones]}und")
    return f"{head}{_GERMAN_TENS[tens]}"


def german_ordinal(number: int, ending: str) -> str:
    """An ordinal below a hundred: ``3`` with "n" is "dritten"."""
    stem = {1: "erst", 3: "dritt", 7: "siebt", 8: "acht"}.get(number)
    return f"{stem or german(number) + ('t' if number < 20 else 'st')}e{ending}"


def german_year(number: int) -> str:
    """``1989`` is "neunzehnhundertneunundachtzig"; other centuries stay digits."""
    if not 1100 <= number <= 1999:
        return str(number)
    return f"{german(number // 100)}hundert{german(number % 100) if number % 100 else ''}"


def french_ordinal(number: int) -> str:
    """An ordinal up to 69: ``21`` is "vingt et unième"."""
    if number == 1:
        return "premier"
    tens, ones = divmod(number, 10)
    if number < 17:
        said = _FRENCH[number]
    elif number < 20:
        said = f"dix-{_FRENCH[ones]}"
    else:
        head = words("_ _ vingt trente quarante cinquante soixante")[tens]
        said = f"{head} et un" if ones == 1 else f"{head}-{_FRENCH[ones]}" if ones else head
    said = said[:-1] if said.endswith("e") else said
    return {"cinq": "cinqu", "neuf": "neuv"}.get(said.split("-")[-1], said.split("-")[-1]).join(
        [said[: len(said) - len(said.split("-")[-1])], "ième"]
    )


@dataclass(frozen=True, slots=True)
class _Language:
    """What one language says."""

    months: Sequence[str]
    date: Callable[[int, str, int, str], str]  #: day, month, year and the word before
    units: Mapping[str, str]  #: written to one | many
    per: str
    per_units: Mapping[str, str]
    money: Mapping[str, str]
    cents: str  #: between the units and the hundredths
    shortened: Mapping[str, str]
    minus: str = ""
    fractions: Mapping[str, str] = field(default_factory=dict)
    parts: str = ""  #: words before a Roman numeral that is a number, if espeak-ng reads it wrongly
    rulers: str = ""
    more: Sequence[tuple[re.Pattern[str], Say]] = ()


def _german_date(day: int, month: str, year: int, before: str) -> str:
    bent = re.search(r"\b(?:am|vom|zum|bis|den|dem|seit|ab|beim)\s$", before, re.I)
    ending = "n" if bent else "" if re.search(r"\b(?:der|die|das)\s$", before, re.I) else "r"
    return f"{german_ordinal(day, ending)} {month} {german_year(year) if year else ''}".strip()


def _day_of_month(m: re.Match[str]) -> str:
    return _german_date(int(m["day"]), m["month"], int(m["year"] or 0), m.string[max(0, m.start() - 8) : m.start()])


def _german_rank(m: re.Match[str]) -> str:
    before = m.string[max(0, m.start() - 8) : m.start()]
    bent = re.search(r"\b(?:am|im|vom|zum|beim|dem|den|des|der)\s$", before, re.I)
    return german_ordinal(int(m["n"]), "n" if bent else "")


def _german_ruler(m: re.Match[str]) -> str | None:
    value = roman(m["numeral"])
    dot = "" if m.string[m.end() : m.end() + 8].strip() else "."
    return f"{m['name']} der {german_ordinal(value, '').capitalize()}{dot}" if value and value < 100 else None


def _rank(m: re.Match[str]) -> str | None:
    value = int(m["n"]) if m["n"].isdigit() else roman(m["n"]) or 0
    if not 0 < value < 70:
        return None
    said = french_ordinal(value)
    return "première" if value == 1 and m["kind"] in ("re", "ère") else said


_MONTHS_DE = words("Januar Februar März April Mai Juni Juli August September Oktober November Dezember")
_RULERS_DE = "Ludwig|Heinrich|Friedrich|Wilhelm|Karl|Otto|Elisabeth|Johannes|Benedikt|Georg|Franz|Pius|Leo|Philipp"

_UNITS = {
    "de": table("""
km = Kilometer
cm = Zentimeter
mm = Millimeter
m² = Quadratmeter
m³ = Kubikmeter
km² = Quadratkilometer
kg = Kilogramm
mg = Milligramm
ml = Milliliter
kWh = Kilowattstunden
kW = Kilowatt
MB = Megabyte
GB = Gigabyte
GHz = Gigahertz
°C = Grad Celsius
"""),
    "fr": table("""
m² = mètre carré | mètres carrés
km² = kilomètre carré | kilomètres carrés
km = kilomètre | kilomètres
kWh = kilowattheure | kilowattheures
GB = gigaoctet | gigaoctets
Go = gigaoctet | gigaoctets
Mo = mégaoctet | mégaoctets
GHz = gigahertz
°C = degré Celsius | degrés Celsius
"""),
    "es": table("""
km = kilómetro | kilómetros
cm = centímetro | centímetros
mm = milímetro | milímetros
m² = metro cuadrado | metros cuadrados
km² = kilómetro cuadrado | kilómetros cuadrados
kg = kilo | kilos
mg = miligramo | miligramos
ml = mililitro | mililitros
kWh = kilovatio hora | kilovatios hora
GB = gigabyte | gigabytes
°C = grado Celsius | grados Celsius
"""),
    "it": table("""
km = chilometro | chilometri
cm = centimetro | centimetri
mm = millimetro | millimetri
m² = metro quadrato | metri quadrati
km² = chilometro quadrato | chilometri quadrati
kg = chilo | chili
mg = milligrammo | milligrammi
ml = millilitro | millilitri
kWh = chilowattora | chilowattora
GB = gigabyte
°C = grado Celsius | gradi Celsius
"""),
}

_LANGUAGES = {
    "de": _Language(
        months=_MONTHS_DE,
        date=_german_date,
        units=_UNITS["de"],
        per="pro",
        per_units={"h": "Stunde", "s": "Sekunde", "min": "Minute", "m²": "Quadratmeter", "kg": "Kilo", "l": "Liter"},
        money={"€": "Euro", "EUR": "Euro", "$": "Dollar", "£": "Pfund", "CHF": "Franken"},
        cents=" ",
        shortened=table("""
z. B. = zum Beispiel
z.B. = zum Beispiel
d. h. = das heißt
d.h. = das heißt
u. a. = unter anderem
u.a. = unter anderem
usw. = und so weiter
bzw. = beziehungsweise
ca. = circa
Dr. = Doktor
Prof. = Professor
Hr. = Herr
Fr. = Frau
Nr. = Nummer
Str. = Straße
St. = Sankt
Mio. = Millionen
Mrd. = Milliarden
vgl. = vergleiche
S. = Seite
"""),
        parts="Kapitel|Band|Teil|Akt|Szene|Weltkrieg|Abschnitt|Buch|Stufe|Klasse|Artikel",
        rulers=_RULERS_DE,
        fractions={"1/2": "ein halb", "1/4": "ein Viertel", "3/4": "drei Viertel", "1/3": "ein Drittel"},
        more=(
            (
                re.compile(
                    rf"(?<![\w.,])(?P<day>3[01]|[12]\d|0?[1-9])\.\s?(?P<month>{'|'.join(_MONTHS_DE)})\b(?:\s(?P<year>\d{{4}})\b)?"
                ),
                _day_of_month,
            ),
            (
                re.compile(
                    r"(?<![\w.,])(?P<n>[1-9]\d?)\.(?=\s(?:Jahrhundert|Stock|Klasse|Platz|Tag|Mal|Weltkrieg|Geburtstag|Jahr|Kapitel)\w{0,3}\b)"
                ),
                _german_rank,
            ),
            (
                re.compile(r"(?<![\w.,/-])1[1-9]\d\d(?!\w|[.,:/]\d|\s?[€$%])"),
                lambda m: german_year(int(m[0])),
            ),
            (re.compile(r"(?<!\w)(1[1-9])(\d0)er\b"), lambda m: f"{german_year(int(m[1] + m[2]))}er"),
        ),
    ),
    "fr": _Language(
        months=words("janvier février mars avril mai juin juillet août septembre octobre novembre décembre"),
        date=lambda day, month, year, _: f"{'premier' if day == 1 else day} {month} {year or ''}".strip(),
        units=_UNITS["fr"],
        per="par",
        per_units={"h": "heure", "s": "seconde", "min": "minute", "m²": "mètre carré", "kg": "kilo"},
        money={"€": "euro | euros", "EUR": "euro | euros", "$": "dollar | dollars", "£": "livre | livres"},
        cents=" ",
        shortened=table("""
M. = Monsieur
MM. = Messieurs
Mlle = Mademoiselle
p. ex. = par exemple
c.-à-d. = c'est-à-dire
env. = environ
n° = numéro
N° = numéro
St = Saint
av. J.-C. = avant Jésus-Christ
"""),
        minus="moins",
        parts="chapitre|tome|partie|acte|scène|guerre|livre|titre|section|article",
        rulers="Louis|Henri|Charles|François|Napoléon|Philippe|Jean-Paul|Benoît|Pie|Élisabeth|Léon",
        fractions={"1/2": "un demi", "1/4": "un quart", "3/4": "trois quarts", "1/3": "un tiers", "2/3": "deux tiers"},
        more=(
            (re.compile(r"(?<![\w.,])(?P<n>\d{1,2}|[IVX]{1,6})(?P<kind>ère|ème|eme|er|re|e)(?!\w)"), _rank),
            (
                re.compile(r"(?<![\w.,:])(?P<h>[01]?\d|2[0-4])\s?h\s?(?P<m>[0-5]\d)(?!\w)"),
                lambda m: f"{int(m['h'])} heure{'s' if int(m['h']) > 1 else ''} {int(m['m']) or ''}".strip(),
            ),
        ),
    ),
    "es": _Language(
        months=words(
            "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre"
        ),
        date=lambda day, month, year, _: f"{day} de {month}{f' de {year}' if year else ''}",
        units=_UNITS["es"],
        per="por",
        per_units={"h": "hora", "s": "segundo", "min": "minuto", "m²": "metro cuadrado", "kg": "kilo"},
        money={"€": "euro | euros", "EUR": "euro | euros", "$": "dólar | dólares", "£": "libra | libras"},
        cents=" con ",
        shortened=table("""
EE. UU. = Estados Unidos
EE.UU. = Estados Unidos
Sra. = señora
Srta. = señorita
Sr. = señor
Dra. = doctora
Dr. = doctor
D. = don
p. ej. = por ejemplo
núm. = número
n.º = número
aprox. = aproximadamente
"""),
        minus="menos",
        fractions={"1/2": "un medio", "1/4": "un cuarto", "3/4": "tres cuartos", "1/3": "un tercio"},
    ),
    "it": _Language(
        months=words(
            "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre"
        ),
        date=lambda day, month, year, _: f"{'primo' if day == 1 else day} {month} {year or ''}".strip(),
        units=_UNITS["it"],
        per="all'",
        per_units={"h": "ora", "s": "secondo", "min": "minuto"},
        money={"€": "euro", "EUR": "euro", "$": "dollaro | dollari", "£": "sterlina | sterline"},
        cents=" e ",
        shortened=table("""
Sig. = signor
Sig.ra = signora
Dott. = dottor
Prof. = professor
ecc. = eccetera
n. = numero
pag. = pagina
p. es. = per esempio
ca. = circa
"""),
        fractions={"1/2": "un mezzo", "1/4": "un quarto", "3/4": "tre quarti", "1/3": "un terzo"},
    ),
}  # fmt: skip

#: After these the dot is the abbreviation's own only before a number.
_BEFORE_NUMBER = frozenset(words("S. D. n."))


def _forms(said: str, number: str) -> str:
    one, _, many = said.partition(" | ")
    return one if number in ("1", "-1") or not many else many


def _rules(language: _Language) -> list[tuple[re.Pattern[str], Say]]:
    def date(m: re.Match[str]) -> str | None:
        day, month = int(m["d"]), int(m["m"])
        before = m.string[max(0, m.start() - 8) : m.start()]
        return language.date(day, language.months[month - 1], int(m["y"]), before)

    def money(m: re.Match[str]) -> str:
        amount, sign = m["a"] or m["b"], m["sign"] or m["sign2"]
        whole, _, rest = amount.partition(",")
        small = f"{language.cents}{int(rest)}" if rest.strip("0") else ""
        return f"{whole} {_forms(language.money[sign], whole)}{small}"

    def measure(m: re.Match[str]) -> str:
        tail = f" {language.per} {language.per_units[m['per']]}".replace("' ", "'") if m["per"] else ""
        return f"{m['n']} {_forms(language.units[m['unit']], m['n'])}{tail}"

    def shortened(m: re.Match[str]) -> str | None:
        if m[0] in _BEFORE_NUMBER and not re.match(r"\s?\d", m.string[m.end() : m.end() + 2]):
            return None
        ends = m[0].endswith(".") and not m.string[m.end() : m.end() + 8].strip()
        return f"{language.shortened[m[0]]}{'.' if ends else ''}"

    signs = "|".join(map(re.escape, language.money))
    units = "|".join(re.escape(unit) for unit in sorted(language.units, key=len, reverse=True))
    per = "|".join(map(re.escape, language.per_units))
    short = "|".join(re.escape(one) for one in sorted(language.shortened, key=len, reverse=True))
    day, month = r"(?P<d>3[01]|[12]\d|0?[1-9])", r"(?P<m>1[0-2]|0?[1-9])"
    rules: list[tuple[re.Pattern[str], Say]] = [
        (re.compile(rf"(?<![\w./-]){day}(?P<sep>[./-]){month}(?P=sep)(?P<y>[12]\d{{3}})(?![\w/-]|\.\d)"), date),
        (re.compile(rf"(?<![\w./-])(?P<y>[12]\d{{3}})-{month}-{day}(?![\w/-])"), date),
        (
            re.compile(
                rf"(?<![\w.,])(?P<a>{_NUMBER})\s?(?P<sign>{signs})(?!\w)|(?<!\w)(?P<sign2>{signs})\s?(?P<b>{_NUMBER})(?![\w,.]\d|\w)"
            ),
            money,
        ),
        (re.compile(rf"(?<![\w.,])(?P<n>{_NUMBER})\s?(?P<unit>{units})(?:/(?P<per>{per}))?(?![\w/²³])"), measure),
        (re.compile(rf"(?<![\w.])(?:{short})(?!\w)"), shortened),
    ]
    if language.fractions:
        found = "|".join(map(re.escape, language.fractions))
        rules.append((re.compile(rf"(?<![\w./,])(?:{found})(?![\w/]|[.,]\d)"), lambda m: language.fractions[m[0]]))
    if language.rulers and language is _LANGUAGES["de"]:
        rules.append(
            (
                re.compile(rf"(?<!\w)(?P<name>{language.rulers})\s(?P<numeral>[IVX]{{1,6}})\.(?=\s?[^\s]|\s*$)"),
                _german_ruler,
            )
        )
    rules += language.more
    if language.parts:
        around = f"{language.parts}|{language.rulers}"
        rules.append(
            (
                re.compile(rf"(?<!\w)(?P<word>(?i:{around}))\s(?P<numeral>[IVXLC]{{1,8}})(?!\w)"),
                lambda m: f"{m['word']} {value}" if (value := roman(m["numeral"])) else None,
            )
        )
        rules.append((re.compile(r"(?<![\w.])[IVX]{2,8}(?![\w.'’])"), lambda m: str(roman(m[0]) or "") or None))
    if language.minus:
        rules.append((re.compile(r"(?<![\w.,)/-])[-−](?=\d)"), lambda _: f"{language.minus} "))
    return rules


_RULES = {code: _rules(language) for code, language in _LANGUAGES.items()}

LANGUAGES = frozenset(_RULES)


def rewrites(text: str, code: str) -> list[Rewrite]:
    """The replacements for ``text`` in the language ``code`` of `LANGUAGES`, in order. Takes linear time."""
    taken = bytearray(len(text))
    found: list[Rewrite] = []
    for pattern, say in _RULES[code]:
        for match in pattern.finditer(text):
            start, end = match.span()
            if taken.find(1, start, end) >= 0:
                continue
            spoken = say(match)
            if spoken is not None and spoken != match[0]:
                taken[start:end] = b"\1" * (end - start)
                found.append(Rewrite(start, end, spoken))
    return sorted(found, key=lambda rewrite: rewrite.start)
