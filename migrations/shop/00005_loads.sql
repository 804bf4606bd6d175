-- +goose Up

-- A rejected row is no order and leaves none. What is counted here lets a report
-- account for all rows of a file, also later.
CREATE TABLE loads (
  id         bigint      NOT NULL GENERATED ALWAYS AS IDENTITY,
  started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  ended_at   timestamptz,
  placed     bigint      NOT NULL DEFAULT 0,
  rejected   bigint      NOT NULL DEFAULT 0,
  source     text        NOT NULL,

  CONSTRAINT loads_pkey PRIMARY KEY (id),
  CONSTRAINT loads_placed CHECK (placed >= 0),
  CONSTRAINT loads_rejected CHECK (rejected >= 0),
  CONSTRAINT loads_source CHECK (char_length(source) BETWEEN 1 AND 1000)
);

COMMENT ON TABLE loads IS 'Files and made orders that were loaded, and how many of their rows were orders.';
COMMENT ON COLUMN loads.id IS 'Number of the row.';
COMMENT ON COLUMN loads.started_at IS 'When it began.';
COMMENT ON COLUMN loads.ended_at IS 'When it ended; NULL while it goes on, or if it was killed.';
COMMENT ON COLUMN loads.placed IS 'Rows that became orders, counted when it ends.';
COMMENT ON COLUMN loads.rejected IS 'Rows that did not, counted when it ends.';
COMMENT ON COLUMN loads.source IS 'Name of the file, or how the orders were made.';
COMMENT ON INDEX loads_pkey IS 'One row for each id.';

-- +goose Down

DROP TABLE loads;
