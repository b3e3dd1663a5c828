"""What the exchange's calendar library does not know: dated corrections, each with its source.

Add an entry when the exchange announces one; ``tests/market/test_calendar.py`` holds the sum of library and
overlay against observed sessions.
"""

from __future__ import annotations

from datetime import date

_CONSTITUTION_DAY = "Constitution Day, a public holiday again (Public Holidays Act as amended 2026-01-29)"

# Sessions of the library on which the exchange is closed -> why.
CLOSED: dict[date, str] = {
    date(2026, 6, 3): "ninth nationwide local elections, a public holiday (no trade was observed)",
    # No trade was observed on 2026-07-17; later years follow from the same Act. Substitute days for a
    # Constitution Day on a weekend are to be added when announced.
    **{date(year, 7, 17): _CONSTITUTION_DAY for year in range(2026, 2051) if date(year, 7, 17).weekday() < 5},
}

# College entrance examination days: every time is one hour later. The library ends with 2020-12-03.
EXAMINATION_DAYS: dict[date, str] = {
    date(2021, 11, 18): "exchange notice reported 2021-11-04",
    date(2022, 11, 17): "exchange notice reported 2022-11-16",
    date(2023, 11, 16): "examination day of the 2024 school year, hours by the exchange's standing rule",
    date(2024, 11, 14): "examination day of the 2025 school year, hours by the exchange's standing rule",
    date(2025, 11, 13): "exchange notice reported 2025-11-12",
    date(2026, 11, 19): "examination day of the 2027 school year, ran 10:00-16:30",
}
