"""How Naver writes its pages down: XML, a JavaScript literal, JSON and HTML tables.

Every writer takes rows with the source's own field names and needs no row. The ``changed_`` ones say the same as no
reader of the site expects it.
"""

from __future__ import annotations

import json
from datetime import date
from html import escape
from typing import Any

from include.simulator.servers.web import Rows

SISE_FIELDS = ("날짜", "시가", "고가", "저가", "종가", "거래량", "외국인소진율")
FOREIGN_FIELDS = (
    "날짜",
    "종가",
    "전일비",
    "등락률",
    "거래량",
    "기관 순매매량",
    "외국인 순매매량",
    "외국인 보유주수",
    "외국인 보유율",
)
HOLDING_FIELDS = ("구성종목(구성자산)", "주식수(계약수)", "구성비중", "시세", "전일비", "등락률")
_DOCTYPE = '<!DOCTYPE html PUBLIC "-//W3C//DTD HTML 4.01 Transitional//EN" "http://www.w3.org/TR/html4/loose.dtd">'


def chart_xml(symbol: str, name: str, first_day: date | None, rows: Rows) -> str:
    """fchart: one ``item`` a bar, its attribute named after the row's first field, values between bars ``|``."""
    items = "".join(f"\n\t\t\t\t<item {_joined(row)}/>\n\t\t\t" for row in rows)
    start = "" if first_day is None else f"{first_day:%Y%m%d}"
    return (
        '<?xml version="1.0" encoding="EUC-KR" ?>\n\n<protocol>\n\n\n\t\n\t\n'
        f'\t\t\t<chartdata symbol="{symbol}" name="{escape(name)}" count="{len(rows)}" timeframe="day" '
        f'precision="0" origintime="{start}">\n\t\t\t{items}\n\t</chartdata>\n</protocol>\n'
    )


def changed_chart_xml(rows: Rows) -> str:
    """Bars as elements with an attribute for each value."""
    bars = "".join("<bar " + " ".join(f'{key}="{value}"' for key, value in row.items()) + "/>" for row in rows)
    return f'<?xml version="1.0" encoding="EUC-KR" ?>\n<chart>{bars}</chart>\n'


def sise_json(rows: Rows) -> str:
    """siseJson: a list of lists with single-quoted names first and white space wherever it falls."""
    names = ", ".join(f"'{name}'" for name in (rows[0] if rows else SISE_FIELDS))
    bars = "".join(f'["{day}", {", ".join(map(str, values))}],\n' for day, *values in (row.values() for row in rows))
    return f"\n [[{names}],\n\n\t\t\n\n\t\t\n{bars.removesuffix(',' + chr(10))}\n\n\t\n]\n\n"


def json_list(rows: Rows) -> str:
    """The rows alone: what remains when everything around them is gone."""
    return json.dumps({"data": [list(row.values()) for row in rows]}, ensure_ascii=False, default=float)


def foreign_page(title: str, rows: Rows) -> str:
    """item/frgn: brokers' turnover first, then institutions and foreigners by day under a heading of two rows."""
    brokers = (
        '<table summary="거래원정보에 관한표입니다." cellspacing="0" class="type2"><tr><th>매도상위</th></tr></table>'
    )
    fields = tuple(rows[0]) if rows else FOREIGN_FIELDS
    single = [field for field in fields if " " not in field]
    grouped = [field.split(" ", 1) for field in fields if " " in field]
    above = "".join(f'<th rowspan="2">{field}</th>' for field in single)
    for group in dict.fromkeys(group for group, _ in grouped):
        above += f'<th colspan="{sum(1 for other, _ in grouped if other == group)}">{group}</th>'
    below = "".join(f"<th>{field}</th>" for _, field in grouped)
    columns = (*single, *map(" ".join, grouped))
    days = "".join("<tr>" + "".join(_cell(row[field]) for field in columns) + "</tr>\n" for row in rows)
    table = (
        '<table summary="외국인 기관 순매매 거래량에 관한표이며 날짜별로 정보를 제공합니다." class="type2">'
        f'\n<tr>{above}</tr>\n<tr>{below}</tr>\n<tr><td colspan="9" class="blank_07"></td></tr>\n{days}</table>'
    )
    return _html(title, "euc-kr", f"{brokers}\n{table}")


def fund_page(title: str, day: date | None, rows: Rows) -> str:
    """item/main of a fund: the day the page is of, and its ten largest positions."""
    shown = "" if day is None else f'<em class="date">{day:%Y.%m.%d} <span>기준(장마감)</span></em>'
    fields = tuple(rows[0]) if rows else HOLDING_FIELDS
    heading = "".join(f'<th scope="col">{field}</th>' for field in fields)
    lines = "".join("<tr>" + "".join(_cell(row[field]) for field in fields) + "</tr>\n" for row in rows)
    table = (
        '<table summary="CU당 구성종목의 주식수, 구성비중, 시세 정보입니다." class="tb_type1 tb_type1_a">'
        f"\n<caption>CU당 구성종목</caption>\n<thead><tr>{heading}</tr></thead>\n<tbody>\n{lines}</tbody></table>"
    )
    return _html(title, "utf-8", f'<div id="time">{shown}</div>\n<h4 class="h_sub">CU당 구성종목</h4>\n{table}')


def changed_page(charset: str, rows: Rows) -> str:
    """A page of lists where tables were."""
    lines = ("".join(f"<span>{_text(value)}</span>" for value in row.values()) for row in rows)
    items = "".join(f"<li>{line}</li>" for line in lines)
    return _html("", charset, f'<ul class="grid">{items}</ul>')


def link(code: str, name: str) -> Markup:
    """A link to the page of ``code``."""
    return Markup(f'<a href="/item/main.naver?code={code}">{escape(name)}</a>')


def arrow(change: int) -> Markup:
    """An unsigned change with the picture that tells its direction."""
    if change == 0:
        return Markup('<span class="tah p11">0</span>')
    direction = "상승" if change > 0 else "하락"
    return Markup(
        f'<img src="ico.gif" width="7" height="6" alt="{direction}"><span class="tah p11">{abs(change):,}</span>'
    )


class Markup(str):
    """Text that is HTML already."""


def _joined(row: dict[str, Any]) -> str:
    return f'{next(iter(row))}="{"|".join(map(str, row.values()))}" '


def _cell(value: Any) -> str:
    return f'<td class="num">{_text(value)}</td>'


def _text(value: Any) -> str:
    return value if isinstance(value, Markup) else f'<span class="tah p11">\n{escape(str(value))}\n</span>'


def _html(title: str, charset: str, body: str) -> str:
    meta = f'<meta http-equiv="Content-Type" content="text/html; charset={charset}">'
    head = f"{meta}<title>{escape(title)} : 네이버페이 증권</title>"
    return f'{_DOCTYPE}\n<html lang="ko">\n<head>{head}</head>\n<body>\n{body}\n</body>\n</html>\n'
