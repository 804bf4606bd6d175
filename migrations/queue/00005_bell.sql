-- +goose Up

-- A worker that has nothing to do says so here, and inserts wake it by NOTIFY. While
-- workers are busy nobody notifies: NOTIFY takes a lock of the whole cluster at commit.
SELECT set_config('search_path', quote_ident(current_schema()) || ', pg_temp', true);

ALTER TABLE workers ADD COLUMN asleep boolean NOT NULL DEFAULT false;

COMMENT ON COLUMN workers.asleep IS 'Whether it is to be woken by NOTIFY when a job of its queues is inserted.';

-- +goose StatementBegin
CREATE FUNCTION ring_bell(queue text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
  IF EXISTS (SELECT FROM workers w
              WHERE w.state = 'live' AND w.asleep AND ring_bell.queue = ANY (w.queues)) THEN
    PERFORM pg_notify('rowlock_' || 'workers'::regclass::oid, ring_bell.queue);
  END IF;
END
$$;
-- +goose StatementEnd

COMMENT ON FUNCTION ring_bell IS
  'Wakes the workers of a queue, if one sleeps; enqueue_job and Insert call it. It reads workers as its owner, so who enqueues needs no right to.';

-- It rings the bell now, and what it lets pass can be read by every client:
-- encoding/json, for one, gives up at 10,000 levels.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION enqueue_job(
  kind         text,
  args         jsonb       DEFAULT '{}',
  queue        text        DEFAULT 'default',
  run_at       timestamptz DEFAULT NULL,
  priority     integer     DEFAULT 2,
  max_attempts integer     DEFAULT 26,
  unique_key   text        DEFAULT NULL
) RETURNS bigint
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
#variable_conflict use_column
DECLARE
  name    CONSTANT text := '^[A-Za-z0-9][A-Za-z0-9_.:/-]*$';
  wrong   text;
  id_made bigint;
BEGIN
  wrong := CASE
    WHEN enqueue_job.kind IS NULL OR enqueue_job.kind !~ name OR octet_length(enqueue_job.kind) > 128
      THEN format('kind must be 1 to 128 letters, digits and _ . : / - beginning with a letter or digit, is %L',
                  left(enqueue_job.kind, 140))
    WHEN enqueue_job.queue IS NULL OR enqueue_job.queue !~ name OR octet_length(enqueue_job.queue) > 128
      THEN format('queue must be 1 to 128 letters, digits and _ . : / - beginning with a letter or digit, is %L',
                  left(enqueue_job.queue, 140))
    WHEN enqueue_job.args IS NULL THEN 'args must not be NULL'
    WHEN octet_length(enqueue_job.args::text) > 1048576
      THEN format('args must have at most 1048576 bytes, has %s', octet_length(enqueue_job.args::text))
    WHEN jsonb_path_exists(enqueue_job.args,
           'strict $.**{100} ? (@.type() == "array" || @.type() == "object")')
      THEN 'args must not be nested deeper than 100'
    WHEN enqueue_job.priority IS NULL OR enqueue_job.priority NOT BETWEEN 1 AND 4
      THEN format('priority must be from 1 to 4, is %L', enqueue_job.priority)
    WHEN enqueue_job.max_attempts IS NULL OR enqueue_job.max_attempts NOT BETWEEN 1 AND 1000
      THEN format('max_attempts must be from 1 to 1000, is %L', enqueue_job.max_attempts)
    WHEN octet_length(enqueue_job.unique_key) NOT BETWEEN 1 AND 256
      THEN format('unique_key must have 1 to 256 bytes, has %s', octet_length(enqueue_job.unique_key))
    WHEN enqueue_job.run_at >= '10000-01-01 00:00:00+00'
      THEN 'run_at must be before the year 10000'
  END;
  IF wrong IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = wrong;
  END IF;
  LOOP
    INSERT INTO jobs (kind, queue, priority, max_attempts, args, unique_key, run_at)
    VALUES (enqueue_job.kind, enqueue_job.queue, enqueue_job.priority, enqueue_job.max_attempts,
            enqueue_job.args, enqueue_job.unique_key,
            greatest(coalesce(enqueue_job.run_at, clock_timestamp()), clock_timestamp()))
    ON CONFLICT (kind, unique_key) WHERE unique_key IS NOT NULL DO NOTHING
    RETURNING id INTO id_made;
    IF id_made IS NOT NULL AND (enqueue_job.run_at IS NULL OR enqueue_job.run_at <= clock_timestamp()) THEN
      PERFORM ring_bell(enqueue_job.queue);
    END IF;
    IF id_made IS NULL THEN -- its holder may end meanwhile: then the key is free
      SELECT id INTO id_made FROM jobs j
       WHERE j.kind = enqueue_job.kind AND j.unique_key = enqueue_job.unique_key;
    END IF;
    IF id_made IS NOT NULL THEN
      RETURN id_made;
    END IF;
  END LOOP;
END
$$;
-- +goose StatementEnd

-- +goose Down

SELECT set_config('search_path', quote_ident(current_schema()) || ', pg_temp', true);

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION enqueue_job(
  kind         text,
  args         jsonb       DEFAULT '{}',
  queue        text        DEFAULT 'default',
  run_at       timestamptz DEFAULT NULL,
  priority     integer     DEFAULT 2,
  max_attempts integer     DEFAULT 26,
  unique_key   text        DEFAULT NULL
) RETURNS bigint
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
#variable_conflict use_column
DECLARE
  name    CONSTANT text := '^[A-Za-z0-9][A-Za-z0-9_.:/-]*$';
  wrong   text;
  id_made bigint;
BEGIN
  wrong := CASE
    WHEN enqueue_job.kind IS NULL OR enqueue_job.kind !~ name OR octet_length(enqueue_job.kind) > 128
      THEN format('kind must be 1 to 128 letters, digits and _ . : / - beginning with a letter or digit, is %L',
                  left(enqueue_job.kind, 140))
    WHEN enqueue_job.queue IS NULL OR enqueue_job.queue !~ name OR octet_length(enqueue_job.queue) > 128
      THEN format('queue must be 1 to 128 letters, digits and _ . : / - beginning with a letter or digit, is %L',
                  left(enqueue_job.queue, 140))
    WHEN enqueue_job.args IS NULL THEN 'args must not be NULL'
    WHEN octet_length(enqueue_job.args::text) > 1048576
      THEN format('args must have at most 1048576 bytes, has %s', octet_length(enqueue_job.args::text))
    WHEN enqueue_job.priority IS NULL OR enqueue_job.priority NOT BETWEEN 1 AND 4
      THEN format('priority must be from 1 to 4, is %L', enqueue_job.priority)
    WHEN enqueue_job.max_attempts IS NULL OR enqueue_job.max_attempts NOT BETWEEN 1 AND 1000
      THEN format('max_attempts must be from 1 to 1000, is %L', enqueue_job.max_attempts)
    WHEN octet_length(enqueue_job.unique_key) NOT BETWEEN 1 AND 256
      THEN format('unique_key must have 1 to 256 bytes, has %s', octet_length(enqueue_job.unique_key))
    WHEN enqueue_job.run_at >= '10000-01-01 00:00:00+00'
      THEN 'run_at must be before the year 10000'
  END;
  IF wrong IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = wrong;
  END IF;
  LOOP
    INSERT INTO jobs (kind, queue, priority, max_attempts, args, unique_key, run_at)
    VALUES (enqueue_job.kind, enqueue_job.queue, enqueue_job.priority, enqueue_job.max_attempts,
            enqueue_job.args, enqueue_job.unique_key,
            greatest(coalesce(enqueue_job.run_at, clock_timestamp()), clock_timestamp()))
    ON CONFLICT (kind, unique_key) WHERE unique_key IS NOT NULL DO NOTHING
    RETURNING id INTO id_made;
    IF id_made IS NULL THEN -- its holder may end meanwhile: then the key is free
      SELECT id INTO id_made FROM jobs j
       WHERE j.kind = enqueue_job.kind AND j.unique_key = enqueue_job.unique_key;
    END IF;
    IF id_made IS NOT NULL THEN
      RETURN id_made;
    END IF;
  END LOOP;
END
$$;
-- +goose StatementEnd

DROP FUNCTION ring_bell;
ALTER TABLE workers DROP COLUMN asleep;
