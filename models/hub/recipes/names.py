"""Names of entries and voices, and tags of languages, from what checkpoints say."""

from __future__ import annotations

import re

from core.errors import WeightsError
from models.hub.origin import plain

MAX_VOICES = 5000

_VOICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

_PAIRS = (
    "aar:aa abk:ab afr:af aka:ak amh:am ara:ar arg:an asm:as ava:av ave:ae aym:ay aze:az bak:ba bam:bm bel:be ben:bn "
    "bih:bh bis:bi bod:bo bos:bs bre:br bul:bg cat:ca ces:cs cha:ch che:ce chu:cu chv:cv cor:kw cos:co cre:cr cym:cy "
    "dan:da deu:de div:dv dzo:dz ell:el eng:en epo:eo est:et eus:eu ewe:ee fao:fo fas:fa fij:fj fin:fi fra:fr fry:fy "
    "ful:ff gla:gd gle:ga glg:gl glv:gv grn:gn guj:gu hat:ht hau:ha hbs:sh heb:he her:hz hin:hi hmo:ho hrv:hr hun:hu "
    "hye:hy ibo:ig ido:io iii:ii iku:iu ile:ie ina:ia ind:id ipk:ik isl:is ita:it jav:jv jpn:ja kal:kl kan:kn kas:ks "
    "kat:ka kau:kr kaz:kk khm:km kik:ki kin:rw kir:ky kom:kv kon:kg kor:ko kua:kj kur:ku lao:lo lat:la lav:lv lim:li "
    "lin:ln lit:lt ltz:lb lub:lu lug:lg mah:mh mal:ml mar:mr mkd:mk mlg:mg mlt:mt mon:mn mri:mi msa:ms mya:my nau:na "
    "nav:nv nbl:nr nde:nd ndo:ng nep:ne nld:nl nno:nn nob:nb nor:no nya:ny oci:oc oji:oj ori:or orm:om oss:os pan:pa "
    "pli:pi pol:pl por:pt pus:ps que:qu roh:rm ron:ro run:rn rus:ru sag:sg san:sa sin:si slk:sk slv:sl sme:se smo:sm "
    "sna:sn snd:sd som:so sot:st spa:es sqi:sq srd:sc srp:sr ssw:ss sun:su swa:sw swe:sv swh:sw tah:ty tam:ta tat:tt "
    "tel:te tgk:tg tgl:tl tha:th tir:ti ton:to tsn:tn tso:ts tuk:tk tur:tr twi:tw uig:ug ukr:uk urd:ur uzb:uz ven:ve "
    "vie:vi vol:vo wln:wa wol:wo xho:xh yid:yi yor:yo zha:za zho:zh zul:zu"
)
#: ISO 639-3 to the two letters that BCP 47 prefers, where there are such (ISO 639-1).
_SHORT = dict(pair.split(":") for pair in _PAIRS.split())


def short_language(code: str) -> str:
    """An ISO 639-3 code as BCP 47 writes it: ``deu`` is ``de``, ``swh`` (Swahili) ``sw``, ``quy`` stays."""
    return _SHORT.get(code, code)


def entry_name(*parts: str) -> str:
    """A name of an entry, of parts in lower case: ``piper-en_gb-alba-medium``."""
    words = re.sub(r"[^a-z0-9._-]+", "-", "-".join(part for part in parts if part).lower()).strip("-._")
    return words[:63].rstrip("-._") or "model"


def voice_name(text: object) -> str:
    """A speaker's name as the name of a voice. Raises `core.errors.WeightsError` if it cannot be one."""
    name = re.sub(r"\s+", "_", str(text).strip())
    if not _VOICE.fullmatch(name):
        raise WeightsError(f"{plain(text, 60)!r} cannot be the name of a voice: letters, digits, '.', '_' and '-'.")
    return name


def speakers(numbers: dict[str, int], count: int, name: str) -> dict[str, int]:
    """Voices and their speakers: by the names that a checkpoint has for its ``count`` speakers, else by their numbers;
    the one voice of a checkpoint with one speaker is called ``name``."""
    if count > MAX_VOICES:
        raise WeightsError(f"{count} speakers are more than an entry can have ({MAX_VOICES}).")
    if count <= 1:
        return {voice_name(name): 0}
    named = {speaker: number for speaker, number in numbers.items() if 0 <= number < count}
    return {voice_name(speaker): number for speaker, number in named.items()} or {
        f"{voice_name(name)}-{number}": number for number in range(count)
    }
