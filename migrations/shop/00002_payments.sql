-- +goose Up

-- A payment is committed before the gateway hears of it, so that whoever comes
-- after a crash finds the key that was, or may have been, used. Hence no order can
-- be deleted that has one: the charge may be on the customer's card.
CREATE TABLE payments (
  id             bigint      NOT NULL GENERATED ALWAYS AS IDENTITY,
  order_id       bigint      NOT NULL,
  amount         bigint      NOT NULL,
  created_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
  settled_at     timestamptz,
  key            uuid        NOT NULL DEFAULT gen_random_uuid(),
  currency       text        NOT NULL,
  card_token     text        NOT NULL,
  state          text        NOT NULL DEFAULT 'initiated',
  gateway_answer text,

  CONSTRAINT payments_pkey PRIMARY KEY (id),
  CONSTRAINT payments_key_key UNIQUE (key),
  CONSTRAINT payments_order_id_fkey FOREIGN KEY (order_id) REFERENCES orders (id),
  CONSTRAINT payments_amount CHECK (amount BETWEEN 1 AND 9999999999999),
  CONSTRAINT payments_currency CHECK (currency COLLATE "C" ~ '^[A-Z]{3}$'),
  CONSTRAINT payments_card_token CHECK (char_length(card_token) BETWEEN 1 AND 255),
  CONSTRAINT payments_state CHECK (state IN ('initiated', 'captured', 'declined')),
  CONSTRAINT payments_settled CHECK ((state = 'initiated') = (settled_at IS NULL)),
  CONSTRAINT payments_answered CHECK ((state = 'initiated') = (gateway_answer IS NULL)),
  CONSTRAINT payments_gateway_answer CHECK (char_length(gateway_answer) BETWEEN 1 AND 1000)
);

CREATE UNIQUE INDEX payments_live ON payments (order_id)
  WHERE state IN ('initiated', 'captured');

CREATE INDEX payments_order_id ON payments (order_id);

COMMENT ON TABLE payments IS
  'Attempts to collect an order''s amount, each under an idempotency key of its own. An order has at most one that is not declined.';
COMMENT ON COLUMN payments.id IS 'Number of the row.';
COMMENT ON COLUMN payments.order_id IS 'Order that is paid for.';
COMMENT ON COLUMN payments.amount IS 'The order''s amount when the payment began, in hundredths of its currency.';
COMMENT ON COLUMN payments.created_at IS 'When it was put on record, before anything was sent.';
COMMENT ON COLUMN payments.settled_at IS 'When the gateway''s answer was put on record; NULL while there is none.';
COMMENT ON COLUMN payments.key IS 'Idempotency key: the gateway charges it once, however often it is sent.';
COMMENT ON COLUMN payments.currency IS 'ISO 4217: three capital letters.';
COMMENT ON COLUMN payments.card_token IS 'What the payment gateway calls the card.';
COMMENT ON COLUMN payments.state IS
  'initiated: may have been sent, no answer yet. captured: charged. declined: refused for good.';
COMMENT ON COLUMN payments.gateway_answer IS
  'The gateway''s reference of a captured payment, its reason of a declined one.';
COMMENT ON INDEX payments_pkey IS 'One row for each id.';
COMMENT ON INDEX payments_key_key IS 'Finds a payment by what the gateway calls it.';
COMMENT ON INDEX payments_live IS 'An order has at most one payment that is not declined.';
COMMENT ON INDEX payments_order_id IS 'Finds the payments of an order, declined ones too.';

-- +goose Down

-- +goose StatementBegin
DO $$
BEGIN
  IF EXISTS (SELECT FROM payments) THEN
    RAISE EXCEPTION 'payments has rows: delete them first if they may be lost';
  END IF;
END
$$;
-- +goose StatementEnd

DROP TABLE payments;
