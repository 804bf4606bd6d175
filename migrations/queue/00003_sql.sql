-- +goose Up

-- Functions below keep this path: nobody's temporary tables come before ours.
SELECT set_config('search_path', quote_ident(current_schema()) || ', pg_temp', true);

-- +goose StatementBegin
CREATE FUNCTION enqueue_job(
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

COMMENT ON FUNCTION enqueue_job IS
  'Enqueues a job and returns its id, or the id of the live job of its kind that holds unique_key. A run_at that is NULL or past means now. What a kind''s InsertDefaults say in Go does not reach here: give queue and max_attempts.';

-- +goose StatementBegin
CREATE FUNCTION job_state_or_error(verb text, job bigint, v job_verdict) RETURNS job_state
LANGUAGE plpgsql AS $$
BEGIN
  IF v.outcome = 'missing' THEN
    RAISE EXCEPTION 'cannot % job %: there is no such job', verb, job USING ERRCODE = 'RL404';
  ELSIF v.outcome = 'conflict' AND v.holder <> 0 THEN
    RAISE EXCEPTION 'cannot % job %: job % holds its unique key', verb, job, v.holder
      USING ERRCODE = 'RL409';
  ELSIF v.outcome = 'conflict' THEN
    RAISE EXCEPTION 'cannot % job %: it is %', verb, job, v.state USING ERRCODE = 'RL409';
  END IF;
  RETURN v.state;
END
$$;
-- +goose StatementEnd

COMMENT ON FUNCTION job_state_or_error IS
  'Makes what a try_… function answers a state, or an error: RL404 if there is no such job, RL409 if it is in no state for that.';

CREATE FUNCTION retry_job(job bigint) RETURNS job_state
LANGUAGE sql SET search_path FROM CURRENT
AS $$ SELECT job_state_or_error('retry', job, try_retry_job(job)) $$;

CREATE FUNCTION cancel_job(job bigint) RETURNS job_state
LANGUAGE sql SET search_path FROM CURRENT
AS $$ SELECT job_state_or_error('cancel', job, try_cancel_job(job)) $$;

COMMENT ON FUNCTION retry_job IS
  'Makes a dead, cancelled, discarded or waiting job due now, with one more attempt. Raises RL404 or RL409.';
COMMENT ON FUNCTION cancel_job IS
  'Calls a job off. A running one stays running until its handler has heard of it, within 3 s. Raises RL404 or RL409.';

-- +goose StatementBegin
CREATE FUNCTION pause_queue(queue text) RETURNS void
LANGUAGE sql SET search_path FROM CURRENT AS $$
  INSERT INTO queues (name, paused_at) VALUES (queue, now())
  ON CONFLICT (name) DO UPDATE SET paused_at = now() WHERE queues.paused_at IS NULL
$$;
-- +goose StatementEnd

CREATE FUNCTION resume_queue(queue text) RETURNS void
LANGUAGE sql SET search_path FROM CURRENT
AS $$ UPDATE queues SET paused_at = NULL WHERE name = queue AND paused_at IS NOT NULL $$;

COMMENT ON FUNCTION pause_queue IS 'Keeps workers from claiming jobs of a queue until resume_queue. What runs, runs on.';
COMMENT ON FUNCTION resume_queue IS 'Ends a pause_queue.';

CREATE VIEW waiting_jobs AS
SELECT j.id, j.kind, j.queue, j.priority,
       CASE WHEN q.paused_at IS NOT NULL THEN 'paused'
            WHEN j.run_at <= now() THEN 'ready'
            WHEN j.attempt > 0 THEN 'retrying'
            ELSE 'scheduled' END AS why,
       j.run_at, j.attempt, j.max_attempts, j.args,
       (SELECT f.error FROM job_failures f WHERE f.job_id = j.id ORDER BY f.at DESC LIMIT 1)
         AS last_error
  FROM jobs j LEFT JOIN queues q ON q.name = j.queue
 WHERE j.state = 'queued';

CREATE VIEW running_jobs AS
SELECT j.id, j.kind, j.queue, now() - j.claimed_at AS age, w.name AS worker, w.state AS worker_state,
       j.attempt, j.max_attempts, j.lost_count, j.cancelling, j.args
  FROM jobs j LEFT JOIN workers w ON w.id = j.worker
 WHERE j.state = 'running';

CREATE VIEW failing_jobs AS
SELECT f.error, count(*) AS failures, count(DISTINCT f.job_id) AS jobs,
       min(f.at) AS first_at, max(f.at) AS last_at, max(f.job_id) AS latest_job
  FROM job_failures f
 WHERE f.at > now() - interval '1 day'
 GROUP BY f.error;

CREATE VIEW given_up_jobs AS
SELECT d.id, d.kind, d.queue, d.finished_at, d.attempt, d.lost_count, d.args,
       (SELECT f.error FROM job_failures f WHERE f.job_id = d.id ORDER BY f.at DESC LIMIT 1)
         AS last_error
  FROM dead_jobs d;

CREATE VIEW stuck_jobs AS
SELECT j.id, j.kind, j.queue, j.state, now() - greatest(j.run_at, j.claimed_at) AS since,
       CASE WHEN j.state = 'running' AND w.state IS DISTINCT FROM 'live'
              THEN 'its worker is gone, and no other has claimed it'
            WHEN j.state = 'running' THEN 'it has run for an hour'
            WHEN q.paused_at IS NOT NULL THEN 'its queue is paused'
            WHEN NOT EXISTS (SELECT FROM workers l WHERE l.state = 'live' AND j.queue = ANY (l.queues))
              THEN 'no worker works its queue'
            ELSE 'no slot was free, or no worker has a handler for its kind' END AS why
  FROM jobs j
  LEFT JOIN workers w ON w.id = j.worker
  LEFT JOIN queues q ON q.name = j.queue
 WHERE j.state = 'queued' AND j.run_at < now() - interval '5 min'
    OR j.state = 'running' AND j.claimed_at < now() - interval '1 hour'
    OR j.state = 'running' AND w.state IS DISTINCT FROM 'live';

CREATE VIEW queue_stats AS
SELECT n.name AS queue, q.paused_at IS NOT NULL AS paused,
       count(j.id) FILTER (WHERE j.state = 'queued' AND j.run_at <= now()) AS ready,
       count(j.id) FILTER (WHERE j.state = 'queued' AND j.run_at > now() AND j.attempt = 0) AS scheduled,
       count(j.id) FILTER (WHERE j.state = 'queued' AND j.run_at > now() AND j.attempt > 0) AS retrying,
       count(j.id) FILTER (WHERE j.state = 'running') AS running,
       (SELECT count(*) FROM dead_jobs d WHERE d.queue = n.name) AS dead,
       now() - min(j.run_at) FILTER (WHERE j.state = 'queued' AND j.run_at <= now()) AS latency
  FROM (SELECT queue::text AS name FROM jobs
        UNION SELECT queue::text FROM dead_jobs
        UNION SELECT unnest(queues) FROM workers WHERE state = 'live'
        UNION SELECT name::text FROM queues WHERE paused_at IS NOT NULL) n
  LEFT JOIN jobs j ON j.queue = n.name
  LEFT JOIN queues q ON q.name = n.name
 GROUP BY n.name, q.paused_at;

CREATE VIEW live_workers AS
SELECT w.id, w.name, w.queues, w.slots, w.running, now() - w.started_at AS up,
       now() - w.beat_at AS silent
  FROM workers w
 WHERE w.state = 'live';

COMMENT ON VIEW waiting_jobs IS 'Queued jobs, and why each waits: ready, scheduled, retrying or paused.';
COMMENT ON VIEW running_jobs IS 'Running jobs, for how long, and where.';
COMMENT ON VIEW failing_jobs IS 'Failures of the last day by their error.';
COMMENT ON VIEW given_up_jobs IS 'Dead jobs and the last error of each.';
COMMENT ON VIEW stuck_jobs IS
  'Jobs due for 5 minutes and not claimed, running for an hour, or held by a worker that is gone; and why.';
COMMENT ON VIEW queue_stats IS
  'How each queue stands. It counts all rows: for long queues see Client.Stats, whose counting stops.';
COMMENT ON VIEW live_workers IS 'Worker processes that live.';

-- +goose StatementBegin
DO $$
DECLARE
  c record;
BEGIN
  -- A view's column says what the column of its table says, where there is one of
  -- that name; the others are told here.
  FOR c IN
    SELECT v.relname AS view, a.attname AS col,
           coalesce(
             (SELECT d.comment FROM (VALUES
               ('why', 'Why it is here.'), ('age', 'For how long it has run.'),
               ('worker', 'Who runs it, as host:pid.'), ('worker_state', 'How that worker is: live, stopped or dead.'),
               ('last_error', 'Its latest failure; NULL if it has none.'), ('error', 'The error.'),
               ('failures', 'How many failures.'), ('jobs', 'Of how many jobs.'),
               ('first_at', 'The first of them.'), ('last_at', 'The last of them.'),
               ('latest_job', 'The newest job among them.'), ('since', 'For how long.'),
               ('paused', 'Whether it is paused.'), ('ready', 'Queued and due.'),
               ('scheduled', 'Queued, not due, no attempt yet.'),
               ('retrying', 'Queued, not due, after an attempt.'), ('running', 'Held by a worker.'),
               ('dead', 'Given up.'), ('latency', 'For how long the first ready one has been due; NULL if none is.'),
               ('up', 'For how long it has run.'), ('silent', 'Since its last heartbeat.'),
               ('name', 'Host and process, as host:pid.'), ('queues', 'The queues it works.'),
               ('slots', 'How many jobs it runs at once.'), ('finished_at', 'When it was given up.')
              ) AS d (name, comment) WHERE d.name = a.attname),
             col_description('jobs'::regclass,
               (SELECT j.attnum FROM pg_attribute j
                 WHERE j.attrelid = 'jobs'::regclass AND j.attname = a.attname))) AS comment
      FROM pg_class v JOIN pg_attribute a ON a.attrelid = v.oid AND a.attnum > 0
     WHERE v.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema())
       AND v.relname IN ('waiting_jobs', 'running_jobs', 'failing_jobs', 'given_up_jobs',
                         'stuck_jobs', 'queue_stats', 'live_workers')
  LOOP
    EXECUTE format('COMMENT ON COLUMN %I.%I IS %L', c.view, c.col, c.comment);
  END LOOP;
END
$$;
-- +goose StatementEnd

-- +goose Down

DROP VIEW live_workers, queue_stats, stuck_jobs, given_up_jobs, failing_jobs, running_jobs, waiting_jobs;
DROP FUNCTION resume_queue, pause_queue, cancel_job, retry_job, job_state_or_error, enqueue_job;
