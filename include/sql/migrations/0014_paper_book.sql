-- Paper books: what following the signals would have traded, entered session by session and never rewritten.

CREATE TABLE derived.paper_book (
    book                text PRIMARY KEY CHECK (book ~ '^[a-z][a-z0-9_]{0,62}$'),
    title               text NOT NULL,
    capital_krw         bigint NOT NULL CHECK (capital_krw > 0),
    rules               jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(rules) = 'object'),
    strategies          text[] CHECK (cardinality(strategies) > 0),
    high_priority_only  boolean NOT NULL DEFAULT false,
    first_session       date,
    created_by          text NOT NULL DEFAULT session_user,
    created_at          timestamptz NOT NULL DEFAULT now(),
    last_session        date,
    state               jsonb,
    replayed_through    date,
    CHECK ((last_session IS NULL) = (state IS NULL)),
    CHECK (replayed_through IS NULL OR last_session IS NOT NULL)
);
COMMENT ON TABLE derived.paper_book IS 'Paper books: capital, rules and strategies of each, and how far it has got. Adding a row opens a book';
COMMENT ON COLUMN derived.paper_book.book IS 'Name of the book';
COMMENT ON COLUMN derived.paper_book.title IS 'What it is, for people';
COMMENT ON COLUMN derived.paper_book.capital_krw IS 'Cash it starts with [KRW]';
COMMENT ON COLUMN derived.paper_book.rules IS 'Rules that differ from the defaults, by name: docs/paper-book.md. A change holds from the next session on';
COMMENT ON COLUMN derived.paper_book.strategies IS 'Strategies whose signals it follows; null: all';
COMMENT ON COLUMN derived.paper_book.high_priority_only IS 'Whether it follows signals of high priority only';
COMMENT ON COLUMN derived.paper_book.first_session IS 'Session whose evening it starts on; null: the latest at its first run';
COMMENT ON COLUMN derived.paper_book.created_by IS 'Who opened it: the login, unless given';
COMMENT ON COLUMN derived.paper_book.created_at IS 'When it was opened';
COMMENT ON COLUMN derived.paper_book.last_session IS 'Last session it went through; null before the first';
COMMENT ON COLUMN derived.paper_book.state IS 'Cash, positions and orders on the evening of last_session, from which it goes on; the other tables tell the same to people';
COMMENT ON COLUMN derived.paper_book.replayed_through IS 'Where it began in the past: the latest session at its first run. Up to it signals count as they stand when it is entered, later ones as they stood at the next open; null: it replayed nothing';

CREATE TABLE derived.paper_order (
    book           text NOT NULL REFERENCES derived.paper_book (book),
    session        date NOT NULL,
    symbol         text NOT NULL,
    side           text NOT NULL CHECK (side IN ('buy', 'sell')),
    placed_on      date NOT NULL,
    shares         bigint NOT NULL CHECK (shares >= 0),
    status         text NOT NULL CHECK (status IN ('placed', 'filled', 'partly', 'expired', 'refused')),
    reason         text,
    shares_filled  bigint NOT NULL CHECK (shares_filled BETWEEN 0 AND shares),
    cause          text NOT NULL CHECK (cause IN ('signal', 'stop_loss', 'target', 'holding_period')),
    strategy       text NOT NULL,
    strength       double precision,
    PRIMARY KEY (book, session, symbol, side),
    CHECK ((reason IS NULL) = (status IN ('placed', 'filled')))
);
COMMENT ON TABLE derived.paper_order IS 'Orders of paper books: day orders for the open, stops and targets that were reached, and what was not ordered';
COMMENT ON COLUMN derived.paper_order.book IS 'Paper book';
COMMENT ON COLUMN derived.paper_order.session IS 'Session it was good for';
COMMENT ON COLUMN derived.paper_order.symbol IS 'Exchange short code';
COMMENT ON COLUMN derived.paper_order.side IS 'buy or sell';
COMMENT ON COLUMN derived.paper_order.placed_on IS 'Session on whose evening it was placed: that of the signal; of a stop or target, its own session';
COMMENT ON COLUMN derived.paper_order.shares IS 'Shares ordered, on the scale of session [shares]';
COMMENT ON COLUMN derived.paper_order.status IS 'placed: for the coming session; filled; partly; expired: nothing was traded; refused: never sent';
COMMENT ON COLUMN derived.paper_order.reason IS 'Why it was not filled wholly: no_bar, halted, not_traded, limit_locked, opened_at_limit, off_grid, thin, no_cash, no_room, loss_limit, too_dear or gone';
COMMENT ON COLUMN derived.paper_order.shares_filled IS 'Shares traded [shares]';
COMMENT ON COLUMN derived.paper_order.cause IS 'signal, stop_loss, target or holding_period';
COMMENT ON COLUMN derived.paper_order.strategy IS 'Strategy of the signal; of other causes, the one the position was opened by';
COMMENT ON COLUMN derived.paper_order.strength IS 'Strength of the signal, 0 to 100; null for other causes';

CREATE TABLE derived.paper_fill (
    book        text NOT NULL REFERENCES derived.paper_book (book),
    session     date NOT NULL,
    symbol      text NOT NULL,
    side        text NOT NULL CHECK (side IN ('buy', 'sell')),
    shares      bigint NOT NULL CHECK (shares > 0),
    price       bigint NOT NULL CHECK (price > 0),
    amount_krw  bigint NOT NULL,
    fee_krw     bigint NOT NULL CHECK (fee_krw >= 0),
    tax_krw     bigint NOT NULL CHECK (tax_krw >= 0),
    cause       text NOT NULL CHECK (cause IN ('signal', 'stop_loss', 'target', 'holding_period', 'delisted')),
    strategy    text NOT NULL,
    PRIMARY KEY (book, session, symbol, side),
    CHECK (amount_krw = shares * price)
);
COMMENT ON TABLE derived.paper_fill IS 'Trades of paper books';
COMMENT ON COLUMN derived.paper_fill.book IS 'Paper book';
COMMENT ON COLUMN derived.paper_fill.session IS 'Session of the trade';
COMMENT ON COLUMN derived.paper_fill.symbol IS 'Exchange short code';
COMMENT ON COLUMN derived.paper_fill.side IS 'buy or sell';
COMMENT ON COLUMN derived.paper_fill.shares IS 'Shares traded [shares]';
COMMENT ON COLUMN derived.paper_fill.price IS 'Price of each, raw: on the tick grid, within the session''s low and high; of a delisted issue its last close [KRW]';
COMMENT ON COLUMN derived.paper_fill.amount_krw IS 'Shares times price [KRW]';
COMMENT ON COLUMN derived.paper_fill.fee_krw IS 'Broker''s fee [KRW]';
COMMENT ON COLUMN derived.paper_fill.tax_krw IS 'Securities transaction tax and special tax for rural development [KRW]';
COMMENT ON COLUMN derived.paper_fill.cause IS 'signal, stop_loss, target, holding_period or delisted';
COMMENT ON COLUMN derived.paper_fill.strategy IS 'Strategy behind it';

CREATE TABLE derived.paper_position (
    book           text NOT NULL REFERENCES derived.paper_book (book),
    symbol         text NOT NULL,
    opened         date NOT NULL,
    strategy       text NOT NULL,
    shares         bigint NOT NULL CHECK (shares >= 0),
    entry_price    double precision NOT NULL CHECK (entry_price > 0),
    stop           double precision,
    target         double precision,
    paid_krw       bigint NOT NULL,
    received_krw   bigint NOT NULL,
    close          bigint NOT NULL,
    closed         date,
    exit_cause     text,
    exit_strategy  text,
    exit_price     double precision,
    PRIMARY KEY (book, symbol, opened),
    CHECK ((closed IS NULL) = (shares > 0)),
    CHECK ((closed IS NULL) = (exit_cause IS NULL))
);
COMMENT ON TABLE derived.paper_position IS 'Positions of paper books, open and closed; open ones as of the book''s last session';
COMMENT ON COLUMN derived.paper_position.book IS 'Paper book';
COMMENT ON COLUMN derived.paper_position.symbol IS 'Exchange short code';
COMMENT ON COLUMN derived.paper_position.opened IS 'Session of the purchase';
COMMENT ON COLUMN derived.paper_position.strategy IS 'Strategy it was opened by';
COMMENT ON COLUMN derived.paper_position.shares IS 'Shares held, on today''s scale; 0 once closed [shares]';
COMMENT ON COLUMN derived.paper_position.entry_price IS 'Price paid for each, on the scale of the last session it was held [KRW]';
COMMENT ON COLUMN derived.paper_position.stop IS 'Price it is sold at when the session falls to it; null: none [KRW]';
COMMENT ON COLUMN derived.paper_position.target IS 'Price it is sold at when the session rises through it; null: none [KRW]';
COMMENT ON COLUMN derived.paper_position.paid_krw IS 'All that was paid for it, with the fee [KRW]';
COMMENT ON COLUMN derived.paper_position.received_krw IS 'What came back so far, less fees and taxes [KRW]';
COMMENT ON COLUMN derived.paper_position.close IS 'Last close known while it was held [KRW]';
COMMENT ON COLUMN derived.paper_position.closed IS 'Session it was closed in; null while open';
COMMENT ON COLUMN derived.paper_position.exit_cause IS 'signal, stop_loss, target, holding_period, delisted, or paid_out: a consolidation left less than a share';
COMMENT ON COLUMN derived.paper_position.exit_strategy IS 'Strategy of the signal it was sold by; of other causes, the one it was opened by';
COMMENT ON COLUMN derived.paper_position.exit_price IS 'Price of the last sale [KRW]';
CREATE INDEX paper_position_closed ON derived.paper_position (book, closed);

CREATE TABLE derived.paper_equity (
    book            text NOT NULL REFERENCES derived.paper_book (book),
    session         date NOT NULL,
    cash_krw        bigint NOT NULL CHECK (cash_krw >= 0),
    positions_krw   bigint NOT NULL CHECK (positions_krw >= 0),
    equity_krw      bigint NOT NULL,
    holdings        integer NOT NULL,
    day_return      double precision NOT NULL,
    drawdown        double precision NOT NULL CHECK (drawdown BETWEEN -1 AND 0),
    fees_krw        bigint NOT NULL,
    taxes_krw       bigint NOT NULL,
    loss_limit_hit  boolean NOT NULL,
    orders_refused  integer NOT NULL,
    entered_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (book, session),
    CHECK (equity_krw = cash_krw + positions_krw)
);
COMMENT ON TABLE derived.paper_equity IS 'What each paper book was worth on the evening of each session it went through';
COMMENT ON COLUMN derived.paper_equity.book IS 'Paper book';
COMMENT ON COLUMN derived.paper_equity.session IS 'Session, Asia/Seoul';
COMMENT ON COLUMN derived.paper_equity.cash_krw IS 'Cash [KRW]';
COMMENT ON COLUMN derived.paper_equity.positions_krw IS 'Positions at their closes [KRW]';
COMMENT ON COLUMN derived.paper_equity.equity_krw IS 'Cash and positions [KRW]';
COMMENT ON COLUMN derived.paper_equity.holdings IS 'Positions held';
COMMENT ON COLUMN derived.paper_equity.day_return IS 'Equity over that of the session before, less one';
COMMENT ON COLUMN derived.paper_equity.drawdown IS 'Equity over its highest so far, less one';
COMMENT ON COLUMN derived.paper_equity.fees_krw IS 'Broker''s fees of the session [KRW]';
COMMENT ON COLUMN derived.paper_equity.taxes_krw IS 'Taxes of the session [KRW]';
COMMENT ON COLUMN derived.paper_equity.loss_limit_hit IS 'Whether the session lost at least the daily loss limit, so that no purchase was ordered for the next';
COMMENT ON COLUMN derived.paper_equity.orders_refused IS 'Purchases of the evening that the loss limit kept back';
COMMENT ON COLUMN derived.paper_equity.entered_at IS 'When the session was entered';

INSERT INTO derived.paper_book (book, title, capital_krw, rules, strategies, high_priority_only, created_by) VALUES
    ('desk', 'The classic desk rule', 100000000,
     '{"max_holdings": 10, "stop_loss_pct": 5, "daily_loss_limit_pct": 3}', '{desk_buy,desk_sell}', false, 'migration'),
    ('composite', 'All strategies, signals of high priority', 100000000,
     '{"max_holdings": 10, "stop_loss_pct": 5, "target_pct": 10, "daily_loss_limit_pct": 3}', NULL, true, 'migration');
