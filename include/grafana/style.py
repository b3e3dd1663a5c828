"""What panels have in common: sizes, colours, units and legends."""

from __future__ import annotations

from grafana_foundation_sdk.builders import candlestick, common, dashboard, stat, table, timeseries
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    GraphDrawStyle,
    LegendDisplayMode,
    LegendPlacement,
    StackingMode,
    TooltipDisplayMode,
    VisibilityMode,
)
from grafana_foundation_sdk.models.dashboard import (
    DynamicConfigValue,
    FieldColorModeId,
    Threshold,
    ThresholdsMode,
)
from grafana_foundation_sdk.models.units import LocaleFormat, SouthKoreanWon

from include.grafana.source import WAREHOUSE, SqlQuery

AnyPanel = stat.Panel | table.Panel | timeseries.Panel | candlestick.Panel

# As Korean markets show them: red rises, blue falls.
RISE, FALL, NEUTRAL = "red", "blue", "gray"

AMOUNT_KRW = SouthKoreanWon  # ₩1.2T
COUNT = LocaleFormat  # 1,234,567, never shortened: also for prices

FULL_WIDTH = 24


def numbers(title: str, description: str, query: SqlQuery, *, width: int) -> stat.Panel:
    """Every column of the query's one row as a large number or word."""
    return (
        stat.Panel()
        .title(title)
        .description(description)
        .datasource(WAREHOUSE)
        .with_target(query)
        .height(4)
        .span(width)
        .unit(COUNT)
        .graph_mode(BigValueGraphMode.NONE)
        .color_mode(BigValueColorMode.VALUE)
        .color_scheme(_fixed("text"))
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).fields("/.*/"))
    )


def rows(title: str, description: str, query: SqlQuery, *, width: int, height: int = 8) -> table.Panel:
    """The query's rows as a table."""
    return (
        table.Panel()
        .title(title)
        .description(description)
        .datasource(WAREHOUSE)
        .with_target(query)
        .height(height)
        .span(width)
        .unit(COUNT)
    )


def lines(title: str, description: str, query: SqlQuery, *, width: int) -> timeseries.Panel:
    """The query's series as lines over time."""
    return (
        timeseries.Panel()
        .title(title)
        .description(description)
        .datasource(WAREHOUSE)
        .with_target(query)
        .height(8)
        .span(width)
        .unit(COUNT)
        .show_points(VisibilityMode.NEVER)
        .legend(legend())
        .tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI))
    )


def stacked_bars(title: str, description: str, query: SqlQuery, *, width: int) -> timeseries.Panel:
    """The query's series as bars over time, one upon another."""
    return (
        lines(title, description, query, width=width)
        .draw_style(GraphDrawStyle.BARS)
        .fill_opacity(80)
        .line_width(0)
        .stacking(common.StackingConfig().mode(StackingMode.NORMAL))
    )


def legend() -> common.VizLegendOptions:
    """The series' names, below the graph."""
    return (
        common.VizLegendOptions()
        .show_legend(True)
        .display_mode(LegendDisplayMode.LIST)
        .placement(LegendPlacement.BOTTOM)
    )


def red_from_one() -> dashboard.ThresholdsConfig:
    """Green at zero, red above it."""
    return (
        dashboard.ThresholdsConfig()
        .mode(ThresholdsMode.ABSOLUTE)
        .steps([Threshold(value=None, color="green"), Threshold(value=1, color="red")])
    )


def by_threshold() -> dashboard.FieldColor:
    """Colours values by their threshold."""
    return dashboard.FieldColor().mode(FieldColorModeId.THRESHOLDS)


def colour(name: str) -> list[DynamicConfigValue]:
    """For one field: this colour."""
    return [DynamicConfigValue("color", _fixed(name).build())]


def unit(name: str) -> list[DynamicConfigValue]:
    """For one field: this unit."""
    return [DynamicConfigValue("unit", name)]


def _fixed(name: str) -> dashboard.FieldColor:
    return dashboard.FieldColor().mode(FieldColorModeId.FIXED).fixed_color(name)
