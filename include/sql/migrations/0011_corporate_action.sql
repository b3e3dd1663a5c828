-- Corporate actions with what is known of them and since when; they take the place of market.base_price_event.

DROP VIEW IF EXISTS mart.base_price_event;
DROP TABLE market.base_price_event;

CREATE TABLE market.corporate_action (
    symbol          text NOT NULL,
    ex_date         date NOT NULL,
    kind            text NOT NULL,
    status          text NOT NULL CHECK (status IN ('applied', 'noted', 'pending', 'dismissed')),
    prior_session   date,
    prior_close     bigint,
    base_price      bigint,
    base_ratio      double precision CHECK (base_ratio > 0),
    share_ratio     double precision CHECK (share_ratio > 0),
    applied_ratio   double precision NOT NULL CHECK (applied_ratio > 0 AND applied_ratio < 'Infinity'),
    applied_basis   text NOT NULL CHECK (applied_basis IN ('base', 'shares', 'operator', 'none')),
    confidence      double precision NOT NULL CHECK (confidence BETWEEN 0 AND 1),
    evidence        text NOT NULL,
    decided_by      text NOT NULL,
    known_at        timestamptz NOT NULL,
    PRIMARY KEY (symbol, ex_date),
    CHECK (status = 'applied' OR applied_ratio = 1)
);
COMMENT ON TABLE market.corporate_action IS 'Corporate actions found in the daily bars or entered by an operator, with the ratio earlier prices are multiplied by';
COMMENT ON COLUMN market.corporate_action.symbol IS 'Exchange short code';
COMMENT ON COLUMN market.corporate_action.ex_date IS 'First session on the new scale';
COMMENT ON COLUMN market.corporate_action.kind IS 'split, reverse_split, bonus_issue, rights_issue, stock_dividend, capital_reduction, merger, spin_off, relisting, market_change, code_change, distribution (of an ETF or ETN) or unexplained';
COMMENT ON COLUMN market.corporate_action.status IS 'applied: earlier prices are multiplied; noted: it does not change the scale of prices; pending: bars are missing that would tell; dismissed by an operator';
COMMENT ON COLUMN market.corporate_action.prior_session IS 'The issue''s last session before it in the warehouse';
COMMENT ON COLUMN market.corporate_action.prior_close IS 'Close of prior_session [KRW]';
COMMENT ON COLUMN market.corporate_action.base_price IS 'Base price of ex_date: close less published change [KRW]';
COMMENT ON COLUMN market.corporate_action.base_ratio IS 'base_price / prior_close, as the exchange published them';
COMMENT ON COLUMN market.corporate_action.share_ratio IS 'New shares per old one, by the listed count; null while it has not moved';
COMMENT ON COLUMN market.corporate_action.applied_ratio IS 'What earlier prices are multiplied by; 1 where nothing is applied';
COMMENT ON COLUMN market.corporate_action.applied_basis IS 'Where applied_ratio comes from: the base price, the share count, an operator, or none';
COMMENT ON COLUMN market.corporate_action.confidence IS 'How sure the kind is, from 0 to 1; an operator''s decision is 1';
COMMENT ON COLUMN market.corporate_action.evidence IS 'What it was told by, and why this ratio is applied, in words';
COMMENT ON COLUMN market.corporate_action.decided_by IS 'detection, or the operator who confirmed, corrected, added or dismissed it';
COMMENT ON COLUMN market.corporate_action.known_at IS 'When all of this was known: the publication of the last bar it rests on, or the operator''s decision';

CREATE TABLE market.corporate_action_revision (
    LIKE market.corporate_action INCLUDING COMMENTS,
    superseded_at  timestamptz NOT NULL,
    PRIMARY KEY (symbol, ex_date, known_at)
);
COMMENT ON TABLE market.corporate_action_revision IS 'What was held of corporate actions before more was known: from known_at until superseded_at';
COMMENT ON COLUMN market.corporate_action_revision.superseded_at IS 'When more was known';

CREATE TABLE market.corporate_action_decision (
    decision_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    symbol         text NOT NULL CHECK (symbol ~ '^[0-9A-Z]{6}$'),
    ex_date        date NOT NULL,
    decision       text NOT NULL CHECK (decision IN ('confirm', 'correct', 'add', 'dismiss', 'withdraw')),
    kind           text CHECK (kind IN ('split', 'reverse_split', 'bonus_issue', 'rights_issue', 'stock_dividend',
        'capital_reduction', 'merger', 'spin_off', 'relisting', 'market_change', 'code_change', 'distribution', 'unexplained')),
    applied_ratio  double precision CHECK (applied_ratio > 0 AND applied_ratio < 'Infinity'),
    reason         text NOT NULL CHECK (btrim(reason) <> ''),
    decided_by     text NOT NULL DEFAULT session_user,
    decided_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK (decision <> 'correct' OR kind IS NOT NULL OR applied_ratio IS NOT NULL),
    CHECK (decision <> 'add' OR (kind IS NOT NULL AND applied_ratio IS NOT NULL)),
    CHECK (decision IN ('correct', 'add') OR (kind IS NULL AND applied_ratio IS NULL))
);
CREATE INDEX ON market.corporate_action_decision (symbol, ex_date);
COMMENT ON TABLE market.corporate_action_decision IS 'What operators decided about corporate actions, each entry kept: the latest of a symbol and date holds';
COMMENT ON COLUMN market.corporate_action_decision.decision_id IS 'Identifies the entry';
COMMENT ON COLUMN market.corporate_action_decision.symbol IS 'Exchange short code';
COMMENT ON COLUMN market.corporate_action_decision.ex_date IS 'First session on the new scale';
COMMENT ON COLUMN market.corporate_action_decision.decision IS 'confirm what was found; correct its kind or ratio; add what was not found; dismiss; withdraw the decision before, back to what is found';
COMMENT ON COLUMN market.corporate_action_decision.kind IS 'Kind, for correct and add';
COMMENT ON COLUMN market.corporate_action_decision.applied_ratio IS 'What earlier prices are multiplied by, for correct and add';
COMMENT ON COLUMN market.corporate_action_decision.reason IS 'Why, in words';
COMMENT ON COLUMN market.corporate_action_decision.decided_by IS 'Who: the login, unless given';
COMMENT ON COLUMN market.corporate_action_decision.decided_at IS 'When';

CREATE FUNCTION ops.refuse_change() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of %.% are kept as they are: enter another one', TG_TABLE_SCHEMA, TG_TABLE_NAME;
END
$$;
COMMENT ON FUNCTION ops.refuse_change IS 'Trigger of tables that only grow';
CREATE TRIGGER only_grows BEFORE UPDATE OR DELETE ON market.corporate_action_decision
    FOR EACH ROW EXECUTE FUNCTION ops.refuse_change();

CREATE TABLE market.base_rounding (
    symbol         text NOT NULL,
    session        date NOT NULL,
    prior_session  date NOT NULL,
    prior_close    bigint NOT NULL,
    base_price     bigint NOT NULL,
    PRIMARY KEY (symbol, session)
);
COMMENT ON TABLE market.base_rounding IS 'Sessions whose base price is the previous close rounded up to a tick: no corporate action';
COMMENT ON COLUMN market.base_rounding.symbol IS 'Exchange short code';
COMMENT ON COLUMN market.base_rounding.session IS 'Session of the rounded base price';
COMMENT ON COLUMN market.base_rounding.prior_session IS 'The issue''s session before it';
COMMENT ON COLUMN market.base_rounding.prior_close IS 'Its close, off the grid of prices [KRW]';
COMMENT ON COLUMN market.base_rounding.base_price IS 'That close rounded up to a tick [KRW]';

CREATE TABLE market.total_return_factor (LIKE market.adjustment_factor, PRIMARY KEY (symbol, first_session));
ALTER TABLE market.total_return_factor DROP COLUMN volume_factor;
COMMENT ON TABLE market.total_return_factor IS 'Cumulative factors with cash dividends reinvested; a symbol or session without a row has factor 1';
COMMENT ON COLUMN market.total_return_factor.symbol IS 'Exchange short code';
COMMENT ON COLUMN market.total_return_factor.first_session IS 'First day of the interval';
COMMENT ON COLUMN market.total_return_factor.last_session IS 'Last day of the interval, inclusive';
COMMENT ON COLUMN market.total_return_factor.price_factor IS 'Product of the ratios of all actions and dividends after the interval';

-- Batches the corporate actions rest on already; the others hold what is new to look at.
CREATE TABLE ops.adjusted_batch (batch_id bigint PRIMARY KEY);
COMMENT ON TABLE ops.adjusted_batch IS 'Batches whose bars and dividends the corporate actions and factors rest on';
COMMENT ON COLUMN ops.adjusted_batch.batch_id IS 'Batch of the ledger';
CREATE TABLE ops.adjusted_decision (decision_id bigint PRIMARY KEY);
COMMENT ON TABLE ops.adjusted_decision IS 'Operators'' decisions the corporate actions rest on';
COMMENT ON COLUMN ops.adjusted_decision.decision_id IS 'Decision';

CREATE TABLE ops.readjusted_symbol (symbol text PRIMARY KEY);
COMMENT ON TABLE ops.readjusted_symbol IS 'Issues whose factors changed and were not announced yet: DAG corporate_actions names them in its asset event';
COMMENT ON COLUMN ops.readjusted_symbol.symbol IS 'Exchange short code';

-- Multiplied one after the other in the order given, so that a factor is the same to the last bit wherever computed.
CREATE AGGREGATE mart.product(double precision) (SFUNC = float8mul, STYPE = double precision, INITCOND = '1');
COMMENT ON AGGREGATE mart.product(double precision) IS 'Product of the values, in the order given';
