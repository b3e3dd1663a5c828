"""Draws raw against adjusted prices and volumes around a corporate action, as the pictures of docs/adjustment.md.

``python -m tools.draw_adjustment 395130 2024-05-08 docs/images/adjustment-split.svg`` reads the warehouse of the
settings. The pictures in the documentation are of the simulated market its examples run on.
"""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import typer

from include.settings import load_settings
from include.warehouse.connection import connect

# The sessions on each side of the ex-date.
_SESSIONS = 45
_RAW, _ADJUSTED, _INK = "#c2571a", "#1f5fa8", "#333a46"

_BARS = """
    SELECT session, raw_close, close, raw_volume, volume
    FROM (
        SELECT bar.session, raw.close AS raw_close, bar.close, raw.volume AS raw_volume, bar.volume,
            row_number() OVER (ORDER BY session) - count(*) FILTER (WHERE session < %(ex_date)s) OVER () AS place
        FROM mart.adjusted_daily_bar AS bar JOIN mart.daily_bar AS raw USING (symbol, session)
        WHERE symbol = %(symbol)s
    ) AS numbered
    WHERE place BETWEEN -%(sessions)s AND %(sessions)s
    ORDER BY session
"""
_ACTION = "SELECT kind, applied_ratio FROM mart.corporate_action WHERE symbol = %(symbol)s AND ex_date = %(ex_date)s"


def main(
    symbol: Annotated[str, typer.Argument(help="Short code.")],
    ex_date: Annotated[datetime, typer.Argument(formats=["%Y-%m-%d"], help="Of a known action.")],
    path: Annotated[Path, typer.Argument(help="The picture; its suffix says the format.")],
) -> None:
    """Draw the issue's closes and volumes around ``ex_date``."""
    asked = {"symbol": symbol, "ex_date": ex_date.date(), "sessions": _SESSIONS}
    with connect(load_settings().warehouse_dsn, "analyst") as connection:
        action = connection.execute(_ACTION, asked).fetchone()
        bars = connection.execute(_BARS, asked).fetchall()
    if action is None:
        raise typer.BadParameter(f"no corporate action of {symbol} on {ex_date:%Y-%m-%d} is known")
    _draw(symbol, ex_date.date(), str(action[0]), float(action[1]), bars, path)


def _draw(symbol: str, ex_date: date, kind: str, ratio: float, bars: list[tuple[Any, ...]], path: Path) -> None:
    # The same bytes for the same bars.
    mpl.rcParams |= {
        "svg.hashsalt": "krx-warehouse",
        "svg.fonttype": "none",
        "date.converter": "concise",
        "font.size": 10,
        "axes.edgecolor": _INK,
        "text.color": _INK,
    }
    sessions, raw_close, close, raw_volume, volume = zip(*bars, strict=True)
    figure, (prices, volumes) = plt.subplots(
        2, 1, sharex=True, figsize=(8.6, 5.2), height_ratios=[3, 2], layout="constrained"
    )
    prices.plot(sessions, raw_close, color=_RAW, linewidth=2.6, label="raw")
    prices.plot(sessions, close, color=_ADJUSTED, linewidth=1.4, label="adjusted")
    prices.set_title(f"{symbol}: {kind.replace('_', ' ')} on {ex_date}, earlier prices times {ratio:.6g}", loc="left")
    prices.set_ylabel("close [KRW]")
    volumes.bar(sessions, [count / 1e3 for count in raw_volume], color=_RAW, width=0.9, label="raw")
    volumes.bar(sessions, [count / 1e3 for count in volume], color=_ADJUSTED, width=0.35, label="adjusted")
    volumes.set_ylabel("volume [1,000 shares]")
    for axes in (prices, volumes):
        axes.axvline(ex_date, color=_INK, linewidth=0.8, linestyle=":")
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_formatter("{x:,.0f}")
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", linewidth=0.4, alpha=0.5)
        axes.legend(frameon=False)
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


if __name__ == "__main__":
    typer.run(main)
