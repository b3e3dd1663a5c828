"""Panels of one issue, chosen by the dashboard's variable ``symbol``."""

from __future__ import annotations

from grafana_foundation_sdk.builders import candlestick, dashboard
from grafana_foundation_sdk.models.candlestick import ColorStrategy, VizDisplayMode
from grafana_foundation_sdk.models.dashboard import DynamicConfigValue, VariableRefresh, VariableSort

from include.grafana.source import IN_RANGE, SESSION_TIME, WAREHOUSE, SqlQuery
from include.grafana.style import COUNT, FALL, FULL_WIDTH, NEUTRAL, RISE, AnyPanel, legend, rows

# Quoted and escaped by Grafana: the value also comes from the page's address.
_THE_SYMBOL = "symbol = ${symbol:sqlstring}"


def symbol_variable() -> dashboard.QueryVariable:
    """Every issue ever seen, delisted ones included; its box finds part of a name or of a code."""
    query = SqlQuery("""
SELECT name || ' (' || symbol || ')' AS __text,
       symbol AS __value
FROM mart.instrument
ORDER BY name, symbol
""")
    return (
        dashboard.QueryVariable("symbol")
        .label("Issue")
        .description("Type part of a name or of a code.")
        .datasource(WAREHOUSE)
        .query(query.sql)
        .refresh(VariableRefresh.ON_DASHBOARD_LOAD)
        .sort(VariableSort.DISABLED)
        .multi(False)
        .include_all(False)
    )


def symbol_panels() -> list[AnyPanel]:
    """The panels, in order."""
    return [_candles(), _listing(), _corporate_actions()]


def _candles() -> AnyPanel:
    query = SqlQuery(
        f"""
SELECT {SESSION_TIME},
       open, high, low, close, volume
FROM mart.adjusted_daily_bar
WHERE {_THE_SYMBOL}
  AND {IN_RANGE}
ORDER BY session
""",
        "time_series",
    )
    return (
        candlestick.Panel()
        .title("${symbol:text}: adjusted prices")
        .description(
            "Daily bars in won with corporate actions applied on read, volume in shares of today. A halted "
            "session has no candle. Red rises, blue falls."
        )
        .datasource(WAREHOUSE)
        .with_target(query)
        .height(14)
        .span(FULL_WIDTH)
        .unit(COUNT)
        .mode(VizDisplayMode.CANDLES_VOLUME)
        .color_strategy(ColorStrategy.OPEN_CLOSE)
        .colors(candlestick.CandlestickColors().up(RISE).down(FALL).flat(NEUTRAL))
        .fields(candlestick.CandlestickFieldMap().open("open").high("high").low("low").close("close").volume("volume"))
        .legend(legend())
    )


def _listing() -> AnyPanel:
    query = SqlQuery(f"""
SELECT symbol AS "Symbol",
       name AS "Name",
       market AS "Market",
       section AS "Section",
       first_session::text AS "First session",
       last_session::text AS "Last session"
FROM mart.instrument
WHERE {_THE_SYMBOL}
""")
    return rows(
        "Issue",
        "What the daily table tells of the issue: its latest name, market and section, and the first and "
        "last session it was seen in.",
        query,
        width=12,
        height=6,
    )


def _corporate_actions() -> AnyPanel:
    query = SqlQuery(f"""
SELECT ex_date::text AS "Ex-date",
       replace(kind, '_', ' ') AS "Kind",
       status AS "Status",
       prior_close AS "Prior close",
       base_price AS "Base price",
       applied_ratio AS "Applied",
       share_ratio AS "New per old share",
       evidence AS "Evidence"
FROM mart.corporate_action
WHERE {_THE_SYMBOL}
ORDER BY ex_date DESC
""")
    return (
        rows(
            "Corporate actions",
            "Corporate actions of any time. Prices in won before an applied one are multiplied by the applied ratio, "
            "nearly always base price (기준가) over prior close; a pending one waits for missing sessions.",
            query,
            width=12,
            height=6,
        )
        .override_by_name("Applied", [DynamicConfigValue("decimals", 6)])
        .no_value("none")
    )
