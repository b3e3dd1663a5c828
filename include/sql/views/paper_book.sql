CREATE OR REPLACE VIEW mart.position AS
SELECT
    held.book,
    held.symbol,
    issue.name,
    held.strategy,
    held.opened,
    state.last_session AS session,
    held.shares,
    held.entry_price,
    held.close,
    held.stop,
    held.target,
    held.shares * held.close AS value_krw,
    held.shares * held.close + held.received_krw - held.paid_krw AS unrealised_krw,
    (held.shares * held.close + held.received_krw)::double precision / held.paid_krw - 1 AS unrealised_return
FROM derived.paper_position AS held
JOIN derived.paper_book AS state USING (book)
LEFT JOIN market.instrument AS issue USING (symbol)
WHERE held.closed IS NULL;

COMMENT ON VIEW mart.position IS 'Open positions of the paper books, as of the last session each went through';
COMMENT ON COLUMN mart.position.book IS 'Paper book';
COMMENT ON COLUMN mart.position.symbol IS 'Exchange short code';
COMMENT ON COLUMN mart.position.name IS 'Latest name';
COMMENT ON COLUMN mart.position.strategy IS 'Strategy it was opened by';
COMMENT ON COLUMN mart.position.opened IS 'Session of the purchase';
COMMENT ON COLUMN mart.position.session IS 'Last session the book went through';
COMMENT ON COLUMN mart.position.shares IS 'Shares held [shares]';
COMMENT ON COLUMN mart.position.entry_price IS 'Price paid for each, on the scale of session [KRW]';
COMMENT ON COLUMN mart.position.close IS 'Close of session, carried over a halt [KRW]';
COMMENT ON COLUMN mart.position.stop IS 'Price it is sold at when the market falls to it; null: none [KRW]';
COMMENT ON COLUMN mart.position.target IS 'Price it is sold at when the market rises through it; null: none [KRW]';
COMMENT ON COLUMN mart.position.value_krw IS 'Shares at the close [KRW]';
COMMENT ON COLUMN mart.position.unrealised_krw IS 'Value and what came back so far, less what was paid; what a sale would cost is not taken off [KRW]';
COMMENT ON COLUMN mart.position.unrealised_return IS 'Value and what came back so far over what was paid, less one';

CREATE OR REPLACE VIEW mart.paper_performance AS
SELECT
    day.book,
    day.session,
    day.equity_krw,
    day.cash_krw,
    day.holdings,
    day.day_return,
    day.equity_krw::double precision / book.capital_krw - 1 AS total_return,
    (index_day.close / first_value(index_day.close) OVER so_far)::double precision - 1 AS index_return,
    day.drawdown,
    (sum(coalesce(closed.positions, 0)) OVER so_far)::bigint AS trades,
    sum(closed.gains) OVER so_far / nullif(sum(closed.positions) OVER so_far, 0) AS win_rate,
    (sum(coalesce(closed.realised_krw, 0)) OVER so_far)::bigint AS realised_krw,
    (sum(day.fees_krw) OVER so_far)::bigint AS fees_krw,
    (sum(day.taxes_krw) OVER so_far)::bigint AS taxes_krw,
    day.loss_limit_hit
FROM derived.paper_equity AS day
JOIN derived.paper_book AS book USING (book)
LEFT JOIN market.index_bar AS index_day
    ON index_day.session = day.session AND index_day.index_name = '코스피' AND index_day.family = 'KOSPI'
LEFT JOIN LATERAL (
    SELECT
        count(*) AS positions,
        count(*) FILTER (WHERE received_krw > paid_krw)::double precision AS gains,
        sum(received_krw - paid_krw) AS realised_krw
    FROM derived.paper_position AS held
    WHERE held.book = day.book AND held.closed = day.session
) AS closed ON true
WINDOW so_far AS (PARTITION BY day.book ORDER BY day.session);

COMMENT ON VIEW mart.paper_performance IS 'How each paper book did up to each session, beside KOSPI';
COMMENT ON COLUMN mart.paper_performance.book IS 'Paper book';
COMMENT ON COLUMN mart.paper_performance.session IS 'Session, Asia/Seoul';
COMMENT ON COLUMN mart.paper_performance.equity_krw IS 'Cash and positions at their closes [KRW]';
COMMENT ON COLUMN mart.paper_performance.cash_krw IS 'Cash [KRW]';
COMMENT ON COLUMN mart.paper_performance.holdings IS 'Positions held';
COMMENT ON COLUMN mart.paper_performance.day_return IS 'Equity over that of the session before, less one';
COMMENT ON COLUMN mart.paper_performance.total_return IS 'Equity over the capital, less one';
COMMENT ON COLUMN mart.paper_performance.index_return IS 'KOSPI over its close on the book''s first session, less one; null where either is not loaded';
COMMENT ON COLUMN mart.paper_performance.drawdown IS 'Equity over its highest so far, less one';
COMMENT ON COLUMN mart.paper_performance.trades IS 'Positions closed so far';
COMMENT ON COLUMN mart.paper_performance.win_rate IS 'Share of these that brought back more than was paid, fees and taxes included; null before the first';
COMMENT ON COLUMN mart.paper_performance.realised_krw IS 'Gain of the positions closed so far [KRW]';
COMMENT ON COLUMN mart.paper_performance.fees_krw IS 'Broker''s fees paid so far [KRW]';
COMMENT ON COLUMN mart.paper_performance.taxes_krw IS 'Taxes paid so far [KRW]';
COMMENT ON COLUMN mart.paper_performance.loss_limit_hit IS 'Whether the session lost at least the daily loss limit';
