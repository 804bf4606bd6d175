-- +goose Up

CREATE TABLE orders (
  id             bigint      NOT NULL GENERATED ALWAYS AS IDENTITY,
  placed_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
  settled_at     timestamptz,
  amount         bigint      NOT NULL,
  number         text        NOT NULL,
  customer_name  text        NOT NULL,
  customer_email text        NOT NULL,
  currency       text        NOT NULL,
  card_token     text        NOT NULL,
  status         text        NOT NULL DEFAULT 'placed',

  CONSTRAINT orders_pkey PRIMARY KEY (id),
  CONSTRAINT orders_number_key UNIQUE (number),
  CONSTRAINT orders_placed_at CHECK (
    placed_at >= '1970-01-01 00:00:00+00' AND placed_at < '10000-01-01 00:00:00+00'),
  CONSTRAINT orders_amount CHECK (amount BETWEEN 1 AND 9999999999999),
  CONSTRAINT orders_number CHECK (char_length(number) BETWEEN 1 AND 100),
  CONSTRAINT orders_customer_name CHECK (char_length(customer_name) <= 500),
  CONSTRAINT orders_customer_email CHECK (
    octet_length(customer_email) BETWEEN 3 AND 320 AND customer_email LIKE '%_@_%'),
  CONSTRAINT orders_currency CHECK (currency COLLATE "C" ~ '^[A-Z]{3}$'),
  CONSTRAINT orders_card_token CHECK (char_length(card_token) BETWEEN 1 AND 255),
  CONSTRAINT orders_status CHECK (status IN ('placed', 'processed', 'payment_failed')),
  CONSTRAINT orders_settled CHECK ((status = 'placed') = (settled_at IS NULL))
);

COMMENT ON TABLE orders IS
  'What customers asked for. An order is placed until its payment is captured (processed) or its card declined (payment_failed).';
COMMENT ON COLUMN orders.id IS 'Number of the row, which jobs and payments name.';
COMMENT ON COLUMN orders.placed_at IS
  'When the customer placed it, by the file it came from; else when the row was made.';
COMMENT ON COLUMN orders.settled_at IS 'When it was processed or its payment failed; NULL while it is placed.';
COMMENT ON COLUMN orders.amount IS
  'Price in hundredths of its currency, whichever that is: 1999 is 19.99.';
COMMENT ON COLUMN orders.number IS 'Number of the order as the customer knows it.';
COMMENT ON COLUMN orders.customer_name IS 'Name of the customer; may hold line breaks, may be empty.';
COMMENT ON COLUMN orders.customer_email IS 'Address that the confirmation goes to.';
COMMENT ON COLUMN orders.currency IS 'ISO 4217: three capital letters.';
COMMENT ON COLUMN orders.card_token IS 'What the payment gateway calls the card.';
COMMENT ON COLUMN orders.status IS
  'placed: to be charged. processed: charged once. payment_failed: the card was declined.';
COMMENT ON INDEX orders_pkey IS 'One row for each id.';
COMMENT ON INDEX orders_number_key IS 'Finds an order by number, and refuses a second one.';

-- +goose Down

-- +goose StatementBegin
DO $$
BEGIN
  IF EXISTS (SELECT FROM orders) THEN
    RAISE EXCEPTION 'orders has rows: delete them first if they may be lost';
  END IF;
END
$$;
-- +goose StatementEnd

DROP TABLE orders;
