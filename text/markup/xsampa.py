r"""X-SAMPA to IPA (Wells 1995, "Computer-coding the IPA"): ``"h@l@U`` is ˈhələʊ."""

from __future__ import annotations

#: A symbol and its IPA, by pairs. The other lower-case letters are themselves.
_PAIRS = r"""
g ɡ  b_< ɓ  d` ɖ  d_< ɗ  g_< ɠ  h\ ɦ  j\ ʝ  l` ɭ  l\ ɺ  n` ɳ  p\ ɸ  r` ɽ  r\ ɹ  r\` ɻ  s` ʂ  s\ ɕ  t` ʈ  v\ ʋ  x\ ɧ
z` ʐ  z\ ʑ  A ɑ  B β  B\ ʙ  C ç  D ð  E ɛ  F ɱ  G ɣ  G\ ɢ  G\_< ʛ  H ɥ  H\ ʜ  I ɪ  I\ ᵻ  J ɲ  J\ ɟ  J\_< ʄ  K ɬ  K\ ɮ
L ʎ  L\ ʟ  M ɯ  M\ ɰ  N ŋ  N\ ɴ  O ɔ  O\ ʘ  P ʋ  Q ɒ  R ʁ  R\ ʀ  S ʃ  T θ  U ʊ  U\ ᵿ  V ʌ  W ʍ  X χ  X\ ħ  Y ʏ  Z ʒ
" ˈ  % ˌ  ' ʲ  : ː  :\ ˑ  @ ə  @\ ɘ  @` ɚ  { æ  } ʉ  1 ɨ  2 ø  3 ɜ  3\ ɞ  3` ɝ  4 ɾ  5 ɫ  6 ɐ  7 ɤ  8 ɵ  9 œ  & ɶ
? ʔ  ?\ ʕ  <\ ʢ  >\ ʡ  ^ ꜛ  ! ꜜ  !\ ǃ  |\ ǀ  |\|\ ǁ  =\ ǂ  -\ ‿  | |  || ‖  . .  ` ˞  <R> ↗  <F> ↘
_T ˥  _H ˦  _M ˧  _L ˨  _B ˩  _> ʼ  _?\ ˤ  _G ˠ  _h ʰ  _j ʲ  _l ˡ  _n ⁿ  _w ʷ
"""

#: Diacritics: the combining mark's code in hexadecimal.
_MARKS = r"""
_" 308  _+ 31F  _- 320  _0 325  = 329  _= 329  _^ 32F  ~ 303  _~ 303  _A 318  _a 33A  _c 31C  _d 32A  _e 334  _k 330
_m 33B  _N 33C  _O 339  _o 31E  _q 319  _r 31D  _t 324  _v 32C  _x 33D  _X 306  _} 31A
"""


def _pairs(table: str) -> dict[str, str]:
    entries = table.split()
    return dict(zip(entries[::2], entries[1::2], strict=True))


_SYMBOLS = {
    **{letter: letter for letter in "abcdefhijklmnopqrstuvwxyz"},
    **_pairs(_PAIRS),
    **{symbol: chr(int(code, 16)) for symbol, code in _pairs(_MARKS).items()},
    **dict.fromkeys(" \t\n", " "),
    "-": "",  # only separates symbols
}
_LONGEST = max(map(len, _SYMBOLS))


def xsampa_to_ipa(text: str) -> str | None:
    """The IPA of ``text``; None where it has what X-SAMPA does not."""
    ipa: list[str] = []
    at = 0
    while at < len(text):
        for size in range(_LONGEST, 0, -1):
            if text[at : at + size] in _SYMBOLS and at + size <= len(text):
                ipa.append(_SYMBOLS[text[at : at + size]])
                at += size
                break
        else:
            return None
    return "".join(ipa)
