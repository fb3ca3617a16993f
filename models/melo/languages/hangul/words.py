"""Words that Korean's rules of pronunciation do not reach: exceptions, Latin letters, numbers."""

from __future__ import annotations

import re

#: Words that are not spoken by rule, from the Standard Pronunciation (표준 발음법) and g2pkk's list of idioms: the
#: spelling, then how the rules are to find it.
_IRREGULAR_PAIRS = (
    "의견란 의견난, 임진란 임진난, 생산량 생산냥, 결단력 결딴녁, 공권력 공꿘녁, 동원령 동원녕, 상견례 상견녜, "
    "횡단로 횡단노, 이원론 이원논, 입원료 이붠뇨, 구근류 구근뉴, 갈등 갈뜽, 발동 발똥, 절도 절또, 말살 말쌀, "
    "불소 불쏘, 일시 일씨, 갈증 갈쯩, 물질 물찔, 발전 발쩐, 몰상식 몰쌍식, 불세출 불쎄출, 문고리 문꼬리, "
    "눈동자 눈똥자, 신바람 신빠람, 산새 산쌔, 손재주 손째주, 길가 길까, 물동이 물똥이, 발바닥 발빠닥, "
    "굴속 굴쏙, 술잔 술짠, 바람결 바람껼, 그믐달 그믐딸, 아침밥 아침빱, 잠자리 잠짜리, 강가 강까, "
    "초승달 초승딸, 등불 등뿔, 창살 창쌀, 강줄기 강쭐기, 솜이불 솜니불, 홑이불 혼니불, 막일 망닐, 삯일 상닐, "
    "맨입 맨닙, 꽃잎 꼰닙, 내복약 내봉냑, 색연필 생년필, 직행열차 지캥녈차, 늑막염 능망념, 콩엿 콩녇, "
    "담요 담뇨, 눈요기 눈뇨기, 영업용 영엄뇽, 식용유 시굥뉴, 국민윤리 궁민뉼리, 밤윳 밤뉻, 이죽이죽 이중니죽, "
    "야금야금 야금냐금, 검열 검녈, 욜랑욜랑 욜랑뇰랑, 금융 금늉, 들일 들릴, 솔잎 솔립, 설익다 설릭따, "
    "물약 물략, 불여우 불려우, 서울역 서울력, 물엿 물렫, 휘발유 휘발류, 유들유들 유들류들, 한일 한닐, "
    "옷입다 온닙따, 서른여섯 서른녀섣, 먹은엿 머근녇, 할일 할릴, 잘입다 잘립따, 스물여섯 스물려섣, "
    "먹을엿 머글렫, 냇가 내까, 샛길 새낄, 빨랫돌 빨래똘, 콧등 코뜽, 깃발 기빨, 대팻밥 대패빱, 햇살 해쌀, "
    "뱃속 배쏙, 뱃전 배쩐, 고갯짓 고개찓, 베갯잇 베갠닏, 깻잎 깬닙, 나뭇잎 나문닙, 도리깻열 도리깬녈, "
    "뒷윷 뒨뉻, 할걸 할껄, 할밖에 할빠께, 할세라 할쎄라, 할수록 할쑤록, 할지라도 할찌라도, 할지언정 할찌언정, "
    "할진대 할찐대"
)
_IRREGULAR = dict(pair.split() for pair in _IRREGULAR_PAIRS.split(", "))
_ANY_IRREGULAR = re.compile("|".join(_IRREGULAR))

#: Latin words and letters (upstream: ``text/ko_dictionary.py``).
_LATIN_WORDS = {
    "KOREA": "코리아", "IDOL": "아이돌", "IT": "아이티", "IQ": "아이큐", "UP": "업", "DOWN": "다운", "PC": "피씨",
    "CCTV": "씨씨티비", "SNS": "에스엔에스", "AI": "에이아이", "CEO": "씨이오",
}  # fmt: skip
_LETTER_NAMES = (
    "에이 비 씨 디 이 에프 지 에이치 아이 제이 케이 엘 엠 엔 오 피 큐 알 에스 티 유 브이 더블유 엑스 와이 제트"
)
_LETTERS = dict(zip("ABCDEFGHIJKLMNOPQRSTUVWXYZ", _LETTER_NAMES.split(" "), strict=True))
#: Numbers and signs that are read as a whole.
_SIGNS = {
    "1+1": "원플러스원", "2+1": "투플러스원", "%": "퍼센트", "6월": "유월", "10월": "시월", "1번째": "첫번째",
}  # fmt: skip
_ANY_SIGN = re.compile(r"%|(?<![\d.,])(?:" + "|".join(map(re.escape, _SIGNS.keys() - {"%"})) + ")")

#: Nouns that are counted in Korean's own numerals, where the word does not go on to another noun.
_COUNTED = re.compile(
    r"시간|시(?![가-힣]*[장즌])|개(?![월년국])|권|마리|명|사람|살|번(?![지호])|벌|잔|병|켤레|그루|군데|송이|가지"
)
_NUMBER = re.compile(r"(\d{1,3}(?:,\d{3})+|\d+)(?:\.(\d+))?")
_DIGITS = "영일이삼사오육칠팔구"
_TENS = ("", "열", "스물", "서른", "마흔", "쉰", "예순", "일흔", "여든", "아흔")
_ONES = ("", "한", "두", "세", "네", "다섯", "여섯", "일곱", "여덟", "아홉")
_PLACES = ("", "십", "백", "천")
_MYRIADS = ("", "만", "억", "조", "경")


def with_irregular_words(word: str) -> str:
    """``word`` with exceptions spelt so that the rules give their pronunciation."""
    return _ANY_IRREGULAR.sub(lambda found: _IRREGULAR[found[0]], word)


def latin_word(word: str) -> str | None:
    """The Hangul of a Latin word or letter that upstream's dictionary has, capital letters and small ones apart."""
    return _LATIN_WORDS.get(word) or _LETTERS.get(word)


def letter_names(word: str) -> str:
    """The names of the letters of ``word``, which is in ASCII letters."""
    return "".join(_LETTERS[letter] for letter in word.upper())


def with_spoken_numbers(text: str) -> str:
    """``text`` with ASCII digits as words: Sino-Korean, in Korean's own numerals before what is counted in them."""
    return _NUMBER.sub(_spoken, _ANY_SIGN.sub(lambda found: _SIGNS[found[0]], text))


def _spoken(found: re.Match[str]) -> str:
    whole, decimals = found[1].replace(",", ""), found[2]
    if decimals is None and len(whole) <= 2 and whole[0] != "0" and _COUNTED.match(found.string, found.end()):
        return "스무" if whole == "20" else _TENS[int(whole) // 10] + _ONES[int(whole) % 10]
    return _sino(whole) + ("점" + _by_digit(decimals) if decimals else "")


def _sino(digits: str) -> str:
    if digits[0] == "0" or len(digits) > 4 * len(_MYRIADS):
        return _by_digit(digits)
    groups = [digits[max(0, end - 4) : end] for end in range(len(digits), 0, -4)]
    words = [_below_myriad(group) + unit for group, unit in zip(groups, _MYRIADS, strict=False) if int(group)]
    spoken = "".join(reversed(words))
    return spoken.removeprefix("일") if spoken.startswith("일만") else spoken


def _below_myriad(digits: str) -> str:
    spoken = ""
    for digit, place in zip(map(int, digits), reversed(_PLACES[: len(digits)]), strict=True):
        if digit:
            spoken += place if digit == 1 and place else _DIGITS[digit] + place
    return spoken


def _by_digit(digits: str) -> str:
    return "".join(_DIGITS[int(digit)] for digit in digits)
