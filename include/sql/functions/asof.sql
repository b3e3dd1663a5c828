-- What was known at the end of a day in Seoul. They read views of the schema mart only, so that whoever may read those
-- may ask, and they are single queries, so that conditions on symbol and session reach the tables.
CREATE OR REPLACE FUNCTION mart.end_of_day(day date) RETURNS timestamptz
LANGUAGE sql STABLE
RETURN (day + 1)::timestamp AT TIME ZONE 'Asia/Seoul';
COMMENT ON FUNCTION mart.end_of_day IS 'The moment a day ends in Seoul';

CREATE OR REPLACE FUNCTION mart.daily_bar_asof(as_of date) RETURNS SETOF mart.daily_bar
LANGUAGE sql STABLE
AS $$
SELECT
    symbol, session, kind, market, open, high, low, close, volume, value_krw, market_cap_krw, listed_shares, change,
    base_price, halted, nav, underlying_index, underlying_close, source, known_at
FROM mart.daily_bar_version
WHERE session <= as_of AND known_at < mart.end_of_day(as_of)
    AND (superseded_at IS NULL OR superseded_at >= mart.end_of_day(as_of))
$$;
COMMENT ON FUNCTION mart.daily_bar_asof IS 'mart.daily_bar as it was known at the end of a day: later sessions and later corrections left out';

CREATE OR REPLACE FUNCTION mart.corporate_action_asof(as_of date) RETURNS SETOF mart.corporate_action_version
LANGUAGE sql STABLE
AS $$
SELECT *
FROM mart.corporate_action_version
WHERE ex_date <= as_of AND known_at < mart.end_of_day(as_of)
    AND (superseded_at IS NULL OR superseded_at >= mart.end_of_day(as_of))
$$;
COMMENT ON FUNCTION mart.corporate_action_asof IS 'Corporate actions as they were known at the end of a day';

CREATE OR REPLACE FUNCTION mart.adjusted_daily_bar_asof(as_of date) RETURNS SETOF mart.adjusted_daily_bar
LANGUAGE sql STABLE
AS $$
SELECT
    bar.symbol,
    bar.session,
    nullif(bar.open, 0) * coalesce(factor.price_factor, 1),
    nullif(bar.high, 0) * coalesce(factor.price_factor, 1),
    nullif(bar.low, 0) * coalesce(factor.price_factor, 1),
    bar.close * coalesce(factor.price_factor, 1),
    bar.volume * coalesce(1 / factor.price_factor, 1),
    bar.value_krw,
    bar.base_price * coalesce(factor.price_factor, 1),
    bar.change::double precision / bar.base_price,
    coalesce(factor.price_factor, 1),
    bar.close,
    bar.market,
    bar.halted
FROM mart.daily_bar_asof(as_of) AS bar
LEFT JOIN (
    SELECT
        symbol,
        coalesce(lag(ex_date) OVER (PARTITION BY symbol ORDER BY ex_date), '1900-01-01') AS first_session,
        ex_date - 1 AS last_session,
        mart.product(applied_ratio) OVER (PARTITION BY symbol ORDER BY ex_date DESC) AS price_factor
    FROM mart.corporate_action_asof(as_of)
    WHERE status = 'applied'
) AS factor
    ON factor.symbol = bar.symbol
    AND bar.session BETWEEN factor.first_session AND factor.last_session
$$;
COMMENT ON FUNCTION mart.adjusted_daily_bar_asof IS 'mart.adjusted_daily_bar as it was known at the end of a day: later sessions, actions, corrections and decisions left out';
