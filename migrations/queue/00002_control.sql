-- +goose Up

-- Functions below keep this path: nobody's temporary tables come before ours.
SELECT set_config('search_path', quote_ident(current_schema()) || ', pg_temp', true);

-- No claim writes this column, so claims stay HOT though an index names it.
ALTER TABLE jobs
  ADD COLUMN cancelling boolean NOT NULL DEFAULT false,
  ADD CONSTRAINT jobs_cancelling CHECK (state = 'running' OR NOT cancelling);

CREATE INDEX jobs_cancelling ON jobs (id) WHERE cancelling;

COMMENT ON COLUMN jobs.cancelling IS
  'The running job was called off: its worker ends its handler, and it is not run again.';
COMMENT ON INDEX jobs_cancelling IS 'The few that their workers have to look for.';

CREATE TYPE job_verdict AS (outcome text, state job_state, holder bigint);

COMMENT ON TYPE job_verdict IS
  'What became of a try_… function: outcome done, conflict or missing; the job''s state; on a conflict over a unique key the live job that holds it.';

-- Each try_ function locks the job where it stands, so that nobody moves it on the
-- way. One that is in no table may be between two: it is looked for again.

-- +goose StatementBegin
CREATE FUNCTION try_cancel_job(job bigint) RETURNS job_verdict
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  at job_state;
BEGIN
  FOR round IN 1..3 LOOP
    SELECT state INTO at FROM jobs WHERE id = job FOR UPDATE;
    IF at = 'running' THEN
      UPDATE jobs SET cancelling = true WHERE id = job AND NOT cancelling;
      RETURN ('done', at, 0)::job_verdict;
    END IF;
    WITH queued AS (DELETE FROM jobs WHERE id = job RETURNING *),
    dead AS (DELETE FROM dead_jobs WHERE id = job RETURNING *),
    gone AS (
      SELECT id, run_at, created_at, token, claimed_at, worker, priority, attempt, max_attempts,
             lost_count, kind, queue, args, unique_key, parent_id, tags, meta FROM queued
      UNION ALL
      SELECT id, run_at, created_at, token, claimed_at, worker, priority, attempt, max_attempts,
             lost_count, kind, queue, args, unique_key, parent_id, tags, meta FROM dead)
    INSERT INTO finished_jobs (id, run_at, created_at, token, claimed_at, worker, priority, attempt,
           max_attempts, lost_count, kind, queue, args, unique_key, parent_id, tags, meta, state)
    SELECT gone.*, 'cancelled' FROM gone;
    IF FOUND THEN
      RETURN ('done', 'cancelled', 0)::job_verdict;
    END IF;
    SELECT state INTO at FROM finished_jobs WHERE id = job;
    IF FOUND THEN
      RETURN (CASE at WHEN 'cancelled' THEN 'done' ELSE 'conflict' END, at, 0)::job_verdict;
    END IF;
  END LOOP;
  RETURN ('missing', NULL, 0)::job_verdict;
END
$$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE FUNCTION try_retry_job(job bigint) RETURNS job_verdict
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  live jobs;
  old  finished_jobs; -- dead_jobs has the same columns
  made bigint;
BEGIN
  FOR round IN 1..3 LOOP
    SELECT * INTO live FROM jobs WHERE id = job FOR UPDATE;
    IF FOUND THEN
      IF live.state = 'running' OR live.run_at <= clock_timestamp() THEN
        RETURN ('conflict', live.state, 0)::job_verdict;
      END IF;
      UPDATE jobs SET run_at = clock_timestamp(), attempt = greatest(attempt - 1, 0) WHERE id = job;
      RETURN ('done', live.state, 0)::job_verdict;
    END IF;
    SELECT * INTO old FROM dead_jobs WHERE id = job FOR UPDATE;
    IF NOT FOUND THEN
      SELECT * INTO old FROM finished_jobs WHERE id = job FOR UPDATE;
      CONTINUE WHEN NOT FOUND;
      IF old.state = 'completed' THEN
        RETURN ('conflict', old.state, 0)::job_verdict;
      END IF;
    END IF;
    INSERT INTO jobs (id, run_at, created_at, claimed_at, worker, priority, attempt, max_attempts,
           lost_count, kind, queue, args, unique_key, parent_id, tags, meta)
    OVERRIDING SYSTEM VALUE
    VALUES (old.id, clock_timestamp(), old.created_at, old.claimed_at, old.worker, old.priority,
           greatest(old.attempt - 1, 0), old.max_attempts, least(old.lost_count, 2), old.kind,
           old.queue, old.args, old.unique_key, old.parent_id, old.tags, old.meta)
    ON CONFLICT (kind, unique_key) WHERE unique_key IS NOT NULL DO NOTHING
    RETURNING id INTO made;
    IF made IS NULL THEN
      RETURN ('conflict', old.state, (SELECT id FROM jobs
               WHERE kind = old.kind AND unique_key = old.unique_key))::job_verdict;
    END IF;
    DELETE FROM dead_jobs WHERE id = job;
    DELETE FROM finished_jobs WHERE id = job;
    RETURN ('done', 'queued', 0)::job_verdict;
  END LOOP;
  RETURN ('missing', NULL, 0)::job_verdict;
END
$$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE FUNCTION try_delete_job(job bigint) RETURNS job_verdict
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  at job_state;
BEGIN
  FOR round IN 1..3 LOOP
    SELECT state INTO at FROM jobs WHERE id = job FOR UPDATE;
    IF at = 'running' THEN
      RETURN ('conflict', at, 0)::job_verdict;
    ELSIF at = 'queued' THEN
      DELETE FROM jobs WHERE id = job;
    ELSE
      DELETE FROM dead_jobs WHERE id = job RETURNING state INTO at;
      IF NOT FOUND THEN
        DELETE FROM finished_jobs WHERE id = job RETURNING state INTO at;
        CONTINUE WHEN NOT FOUND;
      END IF;
    END IF;
    DELETE FROM job_failures WHERE job_id = job;
    RETURN ('done', at, 0)::job_verdict;
  END LOOP;
  RETURN ('missing', NULL, 0)::job_verdict;
END
$$;
-- +goose StatementEnd

COMMENT ON FUNCTION try_cancel_job IS 'What Client.Cancel does; it raises no error about the job.';
COMMENT ON FUNCTION try_retry_job IS 'What Client.Retry does; it raises no error about the job.';
COMMENT ON FUNCTION try_delete_job IS 'What Client.Delete does; it raises no error about the job.';

-- +goose Down

DROP FUNCTION try_delete_job, try_retry_job, try_cancel_job;
DROP TYPE job_verdict;
ALTER TABLE jobs DROP COLUMN cancelling;
