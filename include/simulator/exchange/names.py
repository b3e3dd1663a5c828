"""Short codes and made-up company names: functions of a counter, so no two instruments share one."""

from __future__ import annotations

from datetime import date

# The exchange gives new common shares a letter in the fifth place; I, O and U are not used.
LETTER_CODES_FROM = date(2025, 1, 2)
_LETTERS = "ABCDEFGHJKLMNPQRSTVWXYZ"
_NUMERIC_CODES = 100_000
# Coprime to the number of codes, so that the codes of neighbours lie apart and none repeats.
_CODE_STRIDE = 37_619

# Syllables that stand in no common word together: no company is called so.
_SYLLABLES = "갈걸곰굴깃낌널녁놀눅늪달덤돌둔뜰람렁룸뭇멧벌볕북뱃살섶솔숯슬얼옹움잎잣쟁줌칡콩텁툇팥핀헛홰휠춤"
_TRADES = (
    "전자",
    "화학",
    "제강",
    "식품",
    "바이오",
    "제약",
    "건설",
    "물산",
    "소프트",
    "에너지",
    "금속",
    "테크",
    "운송",
    "섬유",
    "시스템",
    "머티리얼",
)
_SPONSORS = ("하루", "미로", "노을", "여울", "가온", "다온", "라온", "마루")
SPAC = "스팩"
_HOLDINGS = "홀딩스"
# The letters of a Hangul syllable, in Unicode's order.
_INITIALS = ("g", "kk", "n", "d", "tt", "r", "m", "b", "pp", "s", "ss", "", "j", "jj", "ch", "k", "t", "p", "h")
_VOWELS = (
    *("a", "ae", "ya", "yae", "eo", "e", "yeo", "ye", "o", "wa", "wae", "oe", "yo"),
    *("u", "wo", "we", "wi", "yu", "eu", "ui", "i"),
)
_FINALS = (
    *("", "k", "k", "k", "n", "n", "n", "t", "l", "k", "m", "l", "l", "l", "p", "l", "m", "p"),
    *("p", "t", "t", "ng", "t", "t", "k", "t", "p", "t"),
)


class CodesExhaustedError(ValueError):
    """More instruments were listed than there are short codes."""


def common_symbol(number: int, listed: date) -> str:
    """The short code of common share ``number`` (0, 1, ...), with a letter when listed since 2025 or late.

    Raises:
        CodesExhaustedError: all codes are taken.
    """
    if listed < LETTER_CODES_FROM and number < _NUMERIC_CODES:
        return f"{number * _CODE_STRIDE % _NUMERIC_CODES:05d}0"
    if number >= 10_000 * len(_LETTERS):
        raise CodesExhaustedError(f"common share {number}: the simulated exchange has no more short codes")
    return f"{number % 10_000:04d}{_LETTERS[number // 10_000]}0"


def product_symbol(number: int) -> str:
    """The short code of exchange-traded product ``number`` (0, 1, ...): from the end of the codes shares start with.

    Every sixth has a letter, as 186 of 1,066 ETFs had in 2026.

    Raises:
        CodesExhaustedError: all codes are taken.
    """
    group, place = divmod(number, 6)
    if number >= _NUMERIC_CODES // 4:
        raise CodesExhaustedError(f"product {number}: the simulated exchange has no more short codes")
    if place == 5:
        return f"{group:04d}{_LETTERS[-1]}0"
    return f"{(_NUMERIC_CODES - 1 - group * 5 - place) * _CODE_STRIDE % _NUMERIC_CODES:05d}0"


def preferred_symbol(common: str) -> str:
    """The short code of the preferred share of ``common``: some older issues end in K, the others in 5."""
    return common[:5] + ("K" if int(common[3]) % 3 == 0 else "5")


def company_name(number: int) -> str:
    """The made-up name ``number`` (0, 1, ...)."""
    rest, trade = divmod(number, len(_TRADES))
    syllables = ""
    while len(syllables) < 2 or rest:
        rest, position = divmod(rest, len(_SYLLABLES))
        # Shifted by place, so that the first names are not one syllable twice.
        syllables += _SYLLABLES[(position * 17 + 11 * len(syllables)) % len(_SYLLABLES)]
    return syllables + _TRADES[trade]


def spac_name(number: int) -> str:
    """The name of special purpose acquisition company ``number`` (0, 1, ...): its sponsor and a series."""
    series, sponsor = divmod(number, len(_SPONSORS))
    return f"{_SPONSORS[sponsor]}{SPAC}{series + 1}호"


def holding_name(name: str) -> str | None:
    """What company ``name`` calls itself when its business is divided off; None if it is a holding company already."""
    return None if name.endswith(_HOLDINGS) else name + _HOLDINGS


def preferred_name(common_name: str) -> str:
    """The name of a preferred share: that of its common share and 우."""
    return common_name + "우"


def latin_name(korean: str) -> str:
    """``korean`` in Latin letters, syllable by syllable."""
    spelt = "".join(_spelt(character) for character in korean)
    return spelt[:1].upper() + spelt[1:]


def _spelt(character: str) -> str:
    """A Hangul syllable by its letters (Revised Romanization, each as if alone); anything else as it is."""
    place = ord(character) - ord("가")
    if not 0 <= place < len(_INITIALS) * len(_VOWELS) * len(_FINALS):
        return character
    rest, final = divmod(place, len(_FINALS))
    initial, vowel = divmod(rest, len(_VOWELS))
    return _INITIALS[initial] + _VOWELS[vowel] + _FINALS[final]
