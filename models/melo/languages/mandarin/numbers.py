"""Numbers in Chinese text as they are said. Upstream (``text/chinese_mix.py``) says each run of digits as one number;
here also years, times, percentages, sums of money and numbers that are read digit by digit.
"""

from __future__ import annotations

import re
from collections.abc import Callable

#: A number, or a string of digits, as it is said: ``said("356", "low")`` is 三百五十六.
Said = Callable[[str, str], str]

_MAX_DIGITS = 16  #: of a number that is not read digit by digit
_MONEY = {"¥": "元", "￥": "元", "$": "美元", "€": "欧元", "£": "英镑"}
_UNITS = {"%": "百分之", "％": "百分之", "‰": "千分之"}
_AFTER = {"℃": "摄氏度", "°C": "摄氏度", "℉": "华氏度", "°": "度", "㎡": "平方米"}
_NUMBER = r"\d+(?:\.\d+)?"
_COMMAS = re.compile(r"(?<![\d.])\d{1,3}(?:,\d{3})+(?![\d,])")
_YEAR = re.compile(r"(?<!\d)\d{4}(?=年)")
_DATE = re.compile(r"(?<![\d./-])(\d{4})([-/.])(\d{1,2})\2(\d{1,2})(?![\d./-])")
_TIME = re.compile(r"(?<![\d:：.])([01]?\d|2[0-4])[:：]([0-5]\d)(?:[:：]([0-5]\d))?(?![\d:：])")
_PARTS = re.compile(rf"(?<![\d.])({_NUMBER})([%％‰])")
_FRACTION = re.compile(r"(?<![\d/.])(\d{1,4})/(\d{1,4})(?![\d/.])")
_PRICE = re.compile(rf"([¥￥$€£])\s?({_NUMBER})([百千万亿]*)")
_NEGATIVE = re.compile(rf"(?<![^\s（(，。：:、,])[-−](?={_NUMBER})|(?<!\d)[-−](?={_NUMBER}(?:℃|°|度))")
_SUFFIX = re.compile("(?<=[0-9])(" + "|".join(map(re.escape, _AFTER)) + ")")
_RANGE = re.compile(rf"(?<![\d.-])({_NUMBER})\s?[-~～—–]+\s?({_NUMBER})(?![\d.-])")
_TWO = re.compile(r"(?<![\d.第])2(?=[个位只条张本次年天种件块点元间家名台杯])(?!年[度级])")
_ANY = re.compile(_NUMBER)


def in_words(text: str, said: Said) -> str:
    """``text``, in which digits are those of ASCII, without digits. Takes linear time."""
    if not any("0" <= c <= "9" for c in text):
        return text
    text = _COMMAS.sub(lambda found: found[0].replace(",", ""), text)
    text = _DATE.sub(lambda f: f"{f[1]}年{int(f[3])}月{int(f[4])}日", text)
    text = _YEAR.sub(lambda found: said(found[0], "direct"), text)
    text = _TIME.sub(lambda found: _time(found, said), text)
    text = _PARTS.sub(lambda found: f"{_UNITS[found[2]]}{_number(found[1], said)}", text)
    text = _FRACTION.sub(lambda f: f"{_number(f[2], said)}分之{_number(f[1], said)}", text)
    text = _PRICE.sub(lambda f: f"{_number(f[2], said)}{f[3]}{_MONEY[f[1]]}", text)
    text = _RANGE.sub(_range, _NEGATIVE.sub("负", text))
    text = _SUFFIX.sub(lambda found: _AFTER[found[0]], text)
    text = _TWO.sub("两", text)
    return _ANY.sub(lambda found: _number(found[0], said), text)


def _range(found: re.Match[str]) -> str:
    """A range of numbers; what does not increase, or is long, is none."""
    first, last = found[1], found[2]
    is_range = len(first) < 7 and len(last) < 7 and first[0] != "0" and float(first) < float(last)
    return f"{first}到{last}" if is_range else found[0]


def _number(number: str, said: Said) -> str:
    """A number; digit by digit where it is one of a telephone, a code, or too long."""
    whole = number.partition(".")[0]
    by_digit = (
        len(whole) > _MAX_DIGITS or (len(whole) > 1 and whole[0] == "0") or ("." not in number and _is_code(whole))
    )
    if not by_digit:
        return said(number, "low")
    return "点".join(said(part, "direct") for part in number.split("."))


def _is_code(whole: str) -> bool:
    """Whether a whole number is long and not round, as that of a telephone."""
    return len(whole) >= 8 and not whole.endswith("000")


def _time(found: re.Match[str], said: Said) -> str:
    hour, minute, second = found[1], found[2], found[3]
    words = f"{'两' if int(hour) == 2 else said(str(int(hour)), 'low')}点"
    if minute != "00" or second:
        words += ("零" if minute[0] == "0" and minute != "00" else "") + said(str(int(minute)), "low") + "分"
    return words + (said(str(int(second)), "low") + "秒" if second else "")
