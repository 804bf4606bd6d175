-- +goose Up

-- Functions below keep this path: nobody's temporary tables come before ours.
SELECT set_config('search_path', quote_ident(current_schema()) || ', pg_temp', true);

CREATE TYPE job_state AS ENUM
  ('queued', 'running', 'dead', 'completed', 'cancelled', 'discarded');

COMMENT ON TYPE job_state IS
  'Where a job stands. Queued and running rows are in jobs, dead ones in dead_jobs, the rest in finished_jobs.';

-- The length stands apart: a bound in the pattern, {0,127}, made inserts three times
-- as slow. A domain is checked at insert, and not with each update of other columns.
CREATE DOMAIN job_name AS text
  CONSTRAINT job_name CHECK (VALUE ~ '^[A-Za-z0-9][A-Za-z0-9_.:/-]*$' AND octet_length(VALUE) <= 128);

COMMENT ON DOMAIN job_name IS
  'Name of a kind or a queue: 1 to 128 of the ASCII letters, digits and _ . : / - beginning with a letter or digit.';

-- Columns of fixed width come first, which saves their padding. all_jobs has
-- them in an order for people.
--
-- A claim is a HOT update: it writes the claim block alone (state, token, worker,
-- claimed_at, attempt, lost_count), which no index, index predicate or generated
-- column may ever name, whose columns are NOT NULL and of fixed width so that the
-- row does not grow, and fillfactor leaves room on the page for its second version.
CREATE TABLE jobs (
  id           bigint      NOT NULL GENERATED ALWAYS AS IDENTITY,
  run_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
  created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
  token        bigint      NOT NULL DEFAULT 0,
  claimed_at   timestamptz NOT NULL DEFAULT 'epoch',
  worker       bigint      NOT NULL DEFAULT 0,
  state        job_state   NOT NULL DEFAULT 'queued',
  priority     smallint    NOT NULL DEFAULT 2,
  attempt      smallint    NOT NULL DEFAULT 0,
  max_attempts smallint    NOT NULL DEFAULT 26,
  lost_count   smallint    NOT NULL DEFAULT 0,
  kind         job_name    NOT NULL,
  queue        job_name    NOT NULL DEFAULT 'default',
  args         jsonb       NOT NULL DEFAULT '{}',
  unique_key   text,
  parent_id    bigint,
  tags         text[],
  meta         jsonb,

  CONSTRAINT jobs_pkey PRIMARY KEY (id),
  CONSTRAINT jobs_state CHECK (state IN ('queued', 'running')),
  CONSTRAINT jobs_claim CHECK (
    CASE state
      WHEN 'running' THEN token > 0 AND worker > 0 AND claimed_at > 'epoch' AND attempt > 0
      ELSE token = 0 AND attempt < max_attempts
    END),
  CONSTRAINT jobs_attempt CHECK (attempt BETWEEN 0 AND max_attempts),
  CONSTRAINT jobs_max_attempts CHECK (max_attempts BETWEEN 1 AND 1000),
  CONSTRAINT jobs_lost_count CHECK (lost_count BETWEEN 0 AND 3),
  CONSTRAINT jobs_priority CHECK (priority BETWEEN 1 AND 4),
  CONSTRAINT jobs_run_at CHECK (run_at >= 'epoch' AND run_at < '10000-01-01 00:00:00+00'),
  CONSTRAINT jobs_unique_key CHECK (octet_length(unique_key) BETWEEN 1 AND 256)
) WITH (
  fillfactor = 45,
  toast_tuple_target = 1024,
  vacuum_truncate = off,
  autovacuum_vacuum_scale_factor = 0,
  autovacuum_vacuum_threshold = 5000,
  autovacuum_vacuum_insert_scale_factor = 0,
  autovacuum_vacuum_insert_threshold = 50000,
  autovacuum_analyze_scale_factor = 0,
  autovacuum_analyze_threshold = 10000,
  autovacuum_vacuum_cost_delay = 0
);

-- No predicate on state: see the claim block. The last column is an expression
-- so that no plan walks this index to answer id = ANY(…), which the statistics of
-- a drained table otherwise suggest.
CREATE INDEX jobs_ready ON jobs (queue, priority, run_at, (id + 0));

CREATE UNIQUE INDEX jobs_unique ON jobs (kind, unique_key) WHERE unique_key IS NOT NULL;

COMMENT ON TABLE jobs IS
  'Jobs that can still run: queued and running. Claimed with SELECT … FOR UPDATE SKIP LOCKED.';
COMMENT ON COLUMN jobs.id IS 'Number of the job, the same in every table it passes through.';
COMMENT ON COLUMN jobs.run_at IS
  'Earliest time to run. Ahead of now with attempt 0: scheduled; with attempt above 0: waits after a failure.';
COMMENT ON COLUMN jobs.created_at IS 'When the job was inserted.';
COMMENT ON COLUMN jobs.token IS
  'Fencing token of the claim that holds the job; 0 if none does. Every write about a running job checks it.';
COMMENT ON COLUMN jobs.claimed_at IS 'When the last run began; the epoch before the first.';
COMMENT ON COLUMN jobs.worker IS 'Who had the last run, workers.id; 0 before the first.';
COMMENT ON COLUMN jobs.state IS 'Where the job stands.';
COMMENT ON COLUMN jobs.priority IS '1 goes first, 4 last, strictly, within a queue.';
COMMENT ON COLUMN jobs.attempt IS
  'Runs so far, the one under way included. Lost, snoozed and returned runs do not count.';
COMMENT ON COLUMN jobs.max_attempts IS 'How many runs the job may have before it is dead.';
COMMENT ON COLUMN jobs.lost_count IS
  'Runs that ended because their process did. From the second on the job runs alone; a third leaves it dead.';
COMMENT ON COLUMN jobs.kind IS 'What is to be done: names the handler.';
COMMENT ON COLUMN jobs.queue IS 'Where the job waits.';
COMMENT ON COLUMN jobs.args IS 'Arguments for the handler.';
COMMENT ON COLUMN jobs.unique_key IS
  'Only one row of jobs can have a kind and key. Free again once the job is finished or dead.';
COMMENT ON COLUMN jobs.parent_id IS 'Kept for later use: the job whose handler inserted this one.';
COMMENT ON COLUMN jobs.tags IS 'Kept for later use: labels to search by.';
COMMENT ON COLUMN jobs.meta IS 'Kept for later use: values that travel with the job, such as a trace.';
COMMENT ON INDEX jobs_ready IS 'The order of claims within a queue. Names no column that a claim writes.';
COMMENT ON INDEX jobs_unique IS 'One live job for each kind and unique key.';

CREATE TABLE dead_jobs (
  LIKE jobs INCLUDING COMMENTS,
  finished_at timestamptz NOT NULL DEFAULT now(),

  CONSTRAINT dead_jobs_pkey PRIMARY KEY (id),
  CONSTRAINT dead_jobs_state CHECK (state = 'dead'),
  CONSTRAINT dead_jobs_attempt CHECK (attempt BETWEEN 0 AND max_attempts),
  CONSTRAINT dead_jobs_run_at CHECK (run_at >= 'epoch' AND run_at < '10000-01-01 00:00:00+00')
) WITH (toast_tuple_target = 1024);

CREATE INDEX dead_jobs_queue ON dead_jobs (queue);

COMMENT ON TABLE dead_jobs IS
  'Jobs given up: out of attempts, refused by their handler, or lost three times. Kept until someone acts.';
COMMENT ON COLUMN dead_jobs.token IS 'Fencing token of the last claim.';
COMMENT ON COLUMN dead_jobs.unique_key IS 'Key that the job had; it holds it no longer.';
COMMENT ON COLUMN dead_jobs.finished_at IS 'When it was given up.';
COMMENT ON INDEX dead_jobs_queue IS 'For counting the dead of a queue.';

CREATE TABLE finished_jobs (
  LIKE jobs INCLUDING COMMENTS,
  finished_at timestamptz NOT NULL DEFAULT now(),

  CONSTRAINT finished_jobs_state CHECK (state IN ('completed', 'cancelled', 'discarded')),
  CONSTRAINT finished_jobs_times CHECK (
    run_at >= 'epoch' AND run_at < '10000-01-01 00:00:00+00'
    AND finished_at >= 'epoch' AND finished_at < '10000-01-01 00:00:00+00')
) PARTITION BY RANGE (finished_at);

CREATE INDEX finished_jobs_id ON finished_jobs (id);

COMMENT ON TABLE finished_jobs IS
  'History: completed, cancelled and discarded jobs, a partition for each UTC day of finished_at.';
COMMENT ON COLUMN finished_jobs.token IS 'Fencing token of the last claim; 0 if it never ran.';
COMMENT ON COLUMN finished_jobs.unique_key IS 'Key that the job had; it holds it no longer.';
COMMENT ON COLUMN finished_jobs.finished_at IS 'When it was finished.';
COMMENT ON INDEX finished_jobs_id IS 'For finding a job by its number.';

CREATE TABLE finished_jobs_default (
  LIKE finished_jobs INCLUDING COMMENTS INCLUDING CONSTRAINTS INCLUDING DEFAULTS
) WITH (toast_tuple_target = 1024);

ALTER TABLE finished_jobs ATTACH PARTITION finished_jobs_default DEFAULT;

COMMENT ON TABLE finished_jobs_default IS
  'Catches what is finished on a day that has no partition, so that no finish fails. Empty while workers run.';

CREATE TABLE job_failures (
  job_id      bigint      NOT NULL,
  at          timestamptz NOT NULL DEFAULT now(),
  worker      bigint      NOT NULL,
  attempt     smallint    NOT NULL,
  error       text        NOT NULL,
  stack       text        NOT NULL DEFAULT '',
  fingerprint text
);

CREATE INDEX job_failures_job_id ON job_failures (job_id);

COMMENT ON TABLE job_failures IS
  'A row for each attempt that went wrong, appended and never changed. Lost runs are not among them.';
COMMENT ON COLUMN job_failures.job_id IS 'The job.';
COMMENT ON COLUMN job_failures.at IS 'When the failure was recorded.';
COMMENT ON COLUMN job_failures.worker IS 'Who had the run, workers.id.';
COMMENT ON COLUMN job_failures.attempt IS 'Which attempt it was, from 1.';
COMMENT ON COLUMN job_failures.error IS 'The error: at most 10,000 characters, without NUL.';
COMMENT ON COLUMN job_failures.stack IS 'Stack of a panic or Goexit, at most 16 KiB; else empty.';
COMMENT ON COLUMN job_failures.fingerprint IS 'Kept for later use: the same for failures that belong together.';
COMMENT ON INDEX job_failures_job_id IS 'For the failures of one job.';

CREATE TABLE workers (
  id         bigint      NOT NULL GENERATED ALWAYS AS IDENTITY,
  started_at timestamptz NOT NULL DEFAULT now(),
  beat_at    timestamptz NOT NULL DEFAULT now(),
  ended_at   timestamptz,
  lease      interval    NOT NULL,
  slots      integer     NOT NULL,
  running    integer     NOT NULL DEFAULT 0,
  state      text        NOT NULL DEFAULT 'live',
  name       text        NOT NULL,
  queues     text[]      NOT NULL,

  CONSTRAINT workers_pkey PRIMARY KEY (id),
  CONSTRAINT workers_state CHECK (state IN ('live', 'stopped', 'dead')),
  CONSTRAINT workers_ended_at CHECK ((state = 'live') = (ended_at IS NULL))
) WITH (
  fillfactor = 50,
  autovacuum_vacuum_scale_factor = 0,
  autovacuum_vacuum_threshold = 1000,
  autovacuum_vacuum_cost_delay = 0
);

COMMENT ON TABLE workers IS
  'A row for each time that a worker process ran. A live one beats once a second.';
COMMENT ON COLUMN workers.id IS 'Number of this run of the process.';
COMMENT ON COLUMN workers.started_at IS 'When it began.';
COMMENT ON COLUMN workers.beat_at IS 'Its last heartbeat.';
COMMENT ON COLUMN workers.ended_at IS 'When it stopped or was found dead.';
COMMENT ON COLUMN workers.lease IS 'How long it may be silent before it is taken for dead.';
COMMENT ON COLUMN workers.slots IS 'How many jobs it runs at once.';
COMMENT ON COLUMN workers.running IS 'How many jobs it ran at its last heartbeat.';
COMMENT ON COLUMN workers.state IS
  'live; stopped: it ended in order; dead: it fell silent, and its jobs are claimed again.';
COMMENT ON COLUMN workers.name IS 'Host and process, as host:pid.';
COMMENT ON COLUMN workers.queues IS 'The queues it works.';

CREATE TABLE queues (
  name       job_name    NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  paused_at  timestamptz,

  CONSTRAINT queues_pkey PRIMARY KEY (name)
);

COMMENT ON TABLE queues IS
  'What is set for a queue. A queue without a row here runs with the defaults.';
COMMENT ON COLUMN queues.name IS 'The queue.';
COMMENT ON COLUMN queues.created_at IS 'When the row was made.';
COMMENT ON COLUMN queues.paused_at IS 'Since when no job of it is claimed; NULL if it is not paused.';

CREATE VIEW all_jobs AS
SELECT j.id, j.kind, j.queue, j.priority, j.state, j.args, j.unique_key, j.attempt,
       j.max_attempts, j.lost_count, j.run_at, j.created_at,
       NULLIF(j.claimed_at, 'epoch') AS claimed_at, j.finished_at,
       (SELECT w.name FROM workers w WHERE w.id = j.worker) AS worker, j.token,
       j.parent_id, j.tags, j.meta
  FROM (SELECT *, NULL::timestamptz AS finished_at FROM jobs
        UNION ALL
        SELECT * FROM dead_jobs
        UNION ALL
        SELECT * FROM finished_jobs) j;

COMMENT ON VIEW all_jobs IS 'Every job: jobs, dead_jobs and finished_jobs together.';
COMMENT ON COLUMN all_jobs.id IS 'Number of the job.';
COMMENT ON COLUMN all_jobs.kind IS 'What is to be done: names the handler.';
COMMENT ON COLUMN all_jobs.queue IS 'Where the job waits or waited.';
COMMENT ON COLUMN all_jobs.priority IS '1 goes first, 4 last.';
COMMENT ON COLUMN all_jobs.state IS 'Where the job stands.';
COMMENT ON COLUMN all_jobs.args IS 'Arguments for the handler.';
COMMENT ON COLUMN all_jobs.unique_key IS 'Key that it holds while it is in jobs.';
COMMENT ON COLUMN all_jobs.attempt IS 'Runs so far, the one under way included.';
COMMENT ON COLUMN all_jobs.max_attempts IS 'How many runs it may have.';
COMMENT ON COLUMN all_jobs.lost_count IS 'Runs that ended because their process did.';
COMMENT ON COLUMN all_jobs.run_at IS 'When it may run, or last might.';
COMMENT ON COLUMN all_jobs.created_at IS 'When it was inserted.';
COMMENT ON COLUMN all_jobs.claimed_at IS 'When its last run began; NULL before the first.';
COMMENT ON COLUMN all_jobs.finished_at IS 'When it was finished or given up; NULL while it can run.';
COMMENT ON COLUMN all_jobs.worker IS 'Who had its last run, as host:pid; NULL before the first.';
COMMENT ON COLUMN all_jobs.token IS 'Fencing token of its last claim.';
COMMENT ON COLUMN all_jobs.parent_id IS 'Kept for later use.';
COMMENT ON COLUMN all_jobs.tags IS 'Kept for later use.';
COMMENT ON COLUMN all_jobs.meta IS 'Kept for later use.';

-- +goose StatementBegin
CREATE FUNCTION raise_lost_claim(job bigint) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the claim on job % is lost', job
    USING ERRCODE = 'RL001',
          HINT = 'Another worker or an operator has the job now. Roll back.';
END
$$;
-- +goose StatementEnd

COMMENT ON FUNCTION raise_lost_claim IS
  'Aborts a transaction whose job is no longer held, with SQLSTATE RL001.';

-- A day is filled from the default partition before it is attached, since that
-- would otherwise fail on the rows there. ATTACH locks the parent only against
-- other changes of the schema, where CREATE … PARTITION OF would hold up finishes.
-- +goose StatementBegin
CREATE FUNCTION make_finished_days(ahead integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT
SET lock_timeout = '1s'
SET timezone = 'UTC'
AS $$
DECLARE
  first date := least(current_date, (SELECT min(finished_at)::date FROM finished_jobs_default));
  day   date;
  leaf  text;
  made  integer := 0;
BEGIN
  IF ahead NOT BETWEEN 0 AND 60 THEN
    RAISE EXCEPTION 'ahead must be 0 to 60 days, is %', ahead USING ERRCODE = '22023';
  END IF;
  IF NOT pg_try_advisory_xact_lock('finished_jobs'::regclass::oid::integer, 0) THEN
    RETURN 0; -- another worker is at it
  END IF;
  FOR day IN
    SELECT d FROM generate_series(first, current_date + ahead, interval '1 day') d
     WHERE d >= current_date
        OR EXISTS (SELECT FROM finished_jobs_default
                    WHERE finished_at >= d AND finished_at < d + interval '1 day')
  LOOP
    leaf := 'finished_jobs_' || to_char(day, 'YYYYMMDD');
    CONTINUE WHEN to_regclass(leaf) IS NOT NULL;
    EXECUTE format(
      'CREATE TABLE %I (LIKE finished_jobs INCLUDING COMMENTS INCLUDING CONSTRAINTS
         INCLUDING DEFAULTS INCLUDING INDEXES) WITH (toast_tuple_target = 1024)', leaf);
    EXECUTE format('COMMENT ON TABLE %I IS %L', leaf, 'Jobs finished on ' || day || ' UTC.');
    EXECUTE format(
      'WITH moved AS (DELETE FROM finished_jobs_default
                       WHERE finished_at >= %L AND finished_at < %L RETURNING *)
       INSERT INTO %I SELECT * FROM moved', day::timestamptz, (day + 1)::timestamptz, leaf);
    EXECUTE format(
      'ALTER TABLE finished_jobs ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
      leaf, day::timestamptz, (day + 1)::timestamptz);
    made := made + 1;
  END LOOP;
  RETURN made;
END
$$;
-- +goose StatementEnd

COMMENT ON FUNCTION make_finished_days IS
  'Makes the partitions of finished_jobs from today to so many days ahead, and returns how many it made. Any worker calls it.';

SELECT make_finished_days(7);

-- +goose Down

-- +goose StatementBegin
DO $$
BEGIN
  IF EXISTS (SELECT FROM jobs) OR EXISTS (SELECT FROM dead_jobs) THEN
    RAISE EXCEPTION 'jobs or dead_jobs has rows, which this would lose'
      USING HINT = 'Let the workers drain the queue and delete the dead jobs first.';
  END IF;
END
$$;
-- +goose StatementEnd

DROP VIEW all_jobs;
DROP FUNCTION make_finished_days;
DROP FUNCTION raise_lost_claim;
DROP TABLE queues, workers, job_failures, finished_jobs, dead_jobs, jobs;
DROP DOMAIN job_name;
DROP TYPE job_state;
