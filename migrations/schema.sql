--
-- PostgreSQL database dump
--

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

--
-- Name: job_name; Type: DOMAIN; Schema: public; Owner: -
--

CREATE DOMAIN public.job_name AS text
	CONSTRAINT job_name CHECK (((VALUE ~ '^[A-Za-z0-9][A-Za-z0-9_.:/-]*$'::text) AND (octet_length(VALUE) <= 128)));


--
-- Name: DOMAIN job_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON DOMAIN public.job_name IS 'Name of a kind or a queue: 1 to 128 of the ASCII letters, digits and _ . : / - beginning with a letter or digit.';


--
-- Name: job_state; Type: TYPE; Schema: public; Owner: -
--

CREATE TYPE public.job_state AS ENUM (
    'queued',
    'running',
    'dead',
    'completed',
    'cancelled',
    'discarded'
);


--
-- Name: TYPE job_state; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TYPE public.job_state IS 'Where a job stands. Queued and running rows are in jobs, dead ones in dead_jobs, the rest in finished_jobs.';


--
-- Name: job_verdict; Type: TYPE; Schema: public; Owner: -
--

CREATE TYPE public.job_verdict AS (
	outcome text,
	state public.job_state,
	holder bigint
);


--
-- Name: TYPE job_verdict; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TYPE public.job_verdict IS 'What became of a try_… function: outcome done, conflict or missing; the job''s state; on a conflict over a unique key the live job that holds it.';


--
-- Name: cancel_job(bigint); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.cancel_job(job bigint) RETURNS public.job_state
    LANGUAGE sql
    SET search_path TO 'public', 'pg_temp'
    AS $$ SELECT job_state_or_error('cancel', job, try_cancel_job(job)) $$;


--
-- Name: FUNCTION cancel_job(job bigint); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.cancel_job(job bigint) IS 'Calls a job off. A running one stays running until its handler has heard of it, within 3 s. Raises RL404 or RL409.';


--
-- Name: drop_finished_day(interval); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.drop_finished_day(keep interval) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    SET lock_timeout TO '1s'
    SET "TimeZone" TO 'UTC'
    AS $_$
DECLARE
  leaf text;
BEGIN
  IF keep < interval '1 day' THEN
    RAISE EXCEPTION 'keep must be at least a day, is %', keep USING ERRCODE = '22023';
  END IF;
  IF NOT pg_try_advisory_xact_lock('finished_jobs'::regclass::oid::integer, 0) THEN
    RETURN ''; -- another worker is at it
  END IF;
  SELECT c.relname INTO leaf
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
   WHERE i.inhparent = 'finished_jobs'::regclass AND c.relname ~ '^finished_jobs_[0-9]{8}$'
     AND to_date(right(c.relname, 8), 'YYYYMMDD') + 1 <= (now() - keep)::date
   ORDER BY c.relname
   LIMIT 1;
  IF leaf IS NULL THEN
    RETURN NULL;
  END IF;
  BEGIN
    EXECUTE format('LOCK TABLE %I IN ACCESS EXCLUSIVE MODE', leaf);
  EXCEPTION WHEN lock_not_available THEN
    RETURN '';
  END;
  EXECUTE format('DELETE FROM job_failures WHERE job_id IN (SELECT id FROM %I)', leaf);
  EXECUTE format('TRUNCATE %I', leaf);
  BEGIN
    SET LOCAL lock_timeout = '100ms';
    EXECUTE format('DROP TABLE %I', leaf);
  EXCEPTION WHEN lock_not_available THEN
    RETURN ''; -- it stays, empty
  END;
  RETURN leaf;
END
$_$;


--
-- Name: FUNCTION drop_finished_day(keep interval); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.drop_finished_day(keep interval) IS 'Removes the oldest day of finished_jobs that is over for longer than keep, with the failures of its jobs, and returns its name: empty if somebody uses it now, NULL if there is none. Any worker calls it.';


--
-- Name: enqueue_job(text, jsonb, text, timestamp with time zone, integer, integer, text); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.enqueue_job(kind text, args jsonb DEFAULT '{}'::jsonb, queue text DEFAULT 'default'::text, run_at timestamp with time zone DEFAULT NULL::timestamp with time zone, priority integer DEFAULT 2, max_attempts integer DEFAULT 26, unique_key text DEFAULT NULL::text) RETURNS bigint
    LANGUAGE plpgsql
    SET search_path TO 'public', 'pg_temp'
    AS $_$
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
$_$;


--
-- Name: FUNCTION enqueue_job(kind text, args jsonb, queue text, run_at timestamp with time zone, priority integer, max_attempts integer, unique_key text); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.enqueue_job(kind text, args jsonb, queue text, run_at timestamp with time zone, priority integer, max_attempts integer, unique_key text) IS 'Enqueues a job and returns its id, or the id of the live job of its kind that holds unique_key. A run_at that is NULL or past means now. What a kind''s InsertDefaults say in Go does not reach here: give queue and max_attempts.';


--
-- Name: job_state_or_error(text, bigint, public.job_verdict); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.job_state_or_error(verb text, job bigint, v public.job_verdict) RETURNS public.job_state
    LANGUAGE plpgsql
    AS $$
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


--
-- Name: FUNCTION job_state_or_error(verb text, job bigint, v public.job_verdict); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.job_state_or_error(verb text, job bigint, v public.job_verdict) IS 'Makes what a try_… function answers a state, or an error: RL404 if there is no such job, RL409 if it is in no state for that.';


--
-- Name: make_finished_days(integer); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.make_finished_days(ahead integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    SET lock_timeout TO '1s'
    SET "TimeZone" TO 'UTC'
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


--
-- Name: FUNCTION make_finished_days(ahead integer); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.make_finished_days(ahead integer) IS 'Makes the partitions of finished_jobs from today to so many days ahead, and returns how many it made. Any worker calls it.';


--
-- Name: pause_queue(text); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.pause_queue(queue text) RETURNS void
    LANGUAGE sql
    SET search_path TO 'public', 'pg_temp'
    AS $$
  INSERT INTO queues (name, paused_at) VALUES (queue, now())
  ON CONFLICT (name) DO UPDATE SET paused_at = now() WHERE queues.paused_at IS NULL
$$;


--
-- Name: FUNCTION pause_queue(queue text); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.pause_queue(queue text) IS 'Keeps workers from claiming jobs of a queue until resume_queue. What runs, runs on.';


--
-- Name: raise_lost_claim(bigint); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.raise_lost_claim(job bigint) RETURNS boolean
    LANGUAGE plpgsql
    AS $$
BEGIN
  RAISE EXCEPTION 'the claim on job % is lost', job
    USING ERRCODE = 'RL001',
          HINT = 'Another worker or an operator has the job now. Roll back.';
END
$$;


--
-- Name: FUNCTION raise_lost_claim(job bigint); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.raise_lost_claim(job bigint) IS 'Aborts a transaction whose job is no longer held, with SQLSTATE RL001.';


--
-- Name: resume_queue(text); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.resume_queue(queue text) RETURNS void
    LANGUAGE sql
    SET search_path TO 'public', 'pg_temp'
    AS $$ UPDATE queues SET paused_at = NULL WHERE name = queue AND paused_at IS NOT NULL $$;


--
-- Name: FUNCTION resume_queue(queue text); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.resume_queue(queue text) IS 'Ends a pause_queue.';


--
-- Name: retry_job(bigint); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.retry_job(job bigint) RETURNS public.job_state
    LANGUAGE sql
    SET search_path TO 'public', 'pg_temp'
    AS $$ SELECT job_state_or_error('retry', job, try_retry_job(job)) $$;


--
-- Name: FUNCTION retry_job(job bigint); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.retry_job(job bigint) IS 'Makes a dead, cancelled, discarded or waiting job due now, with one more attempt. Raises RL404 or RL409.';


--
-- Name: ring_bell(text); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.ring_bell(queue text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
  IF EXISTS (SELECT FROM workers w
              WHERE w.state = 'live' AND w.asleep AND ring_bell.queue = ANY (w.queues)) THEN
    PERFORM pg_notify('rowlock_' || 'workers'::regclass::oid, ring_bell.queue);
  END IF;
END
$$;


--
-- Name: FUNCTION ring_bell(queue text); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.ring_bell(queue text) IS 'Wakes the workers of a queue, if one sleeps; enqueue_job and Insert call it. It reads workers as its owner, so who enqueues needs no right to.';


--
-- Name: try_cancel_job(bigint); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.try_cancel_job(job bigint) RETURNS public.job_verdict
    LANGUAGE plpgsql
    SET search_path TO 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    AS $$
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


--
-- Name: FUNCTION try_cancel_job(job bigint); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.try_cancel_job(job bigint) IS 'What Client.Cancel does; it raises no error about the job.';


--
-- Name: try_delete_job(bigint); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.try_delete_job(job bigint) RETURNS public.job_verdict
    LANGUAGE plpgsql
    SET search_path TO 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    AS $$
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


--
-- Name: FUNCTION try_delete_job(job bigint); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.try_delete_job(job bigint) IS 'What Client.Delete does; it raises no error about the job.';


--
-- Name: try_retry_job(bigint); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.try_retry_job(job bigint) RETURNS public.job_verdict
    LANGUAGE plpgsql
    SET search_path TO 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    AS $$
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


--
-- Name: FUNCTION try_retry_job(job bigint); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.try_retry_job(job bigint) IS 'What Client.Retry does; it raises no error about the job.';


SET default_tablespace = '';

SET default_table_access_method = heap;

--
-- Name: dead_jobs; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.dead_jobs (
    id bigint NOT NULL,
    run_at timestamp with time zone NOT NULL,
    created_at timestamp with time zone NOT NULL,
    token bigint NOT NULL,
    claimed_at timestamp with time zone NOT NULL,
    worker bigint NOT NULL,
    state public.job_state NOT NULL,
    priority smallint NOT NULL,
    attempt smallint NOT NULL,
    max_attempts smallint NOT NULL,
    lost_count smallint NOT NULL,
    kind public.job_name NOT NULL,
    queue public.job_name NOT NULL,
    args jsonb NOT NULL,
    unique_key text,
    parent_id bigint,
    tags text[],
    meta jsonb,
    finished_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT dead_jobs_attempt CHECK (((attempt >= 0) AND (attempt <= max_attempts))),
    CONSTRAINT dead_jobs_run_at CHECK (((run_at >= '1970-01-01 00:00:00+00'::timestamp with time zone) AND (run_at < '10000-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT dead_jobs_state CHECK ((state = 'dead'::public.job_state))
)
WITH (toast_tuple_target='1024');


--
-- Name: TABLE dead_jobs; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.dead_jobs IS 'Jobs given up: out of attempts, refused by their handler, or lost three times. Kept until someone acts.';


--
-- Name: COLUMN dead_jobs.id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.dead_jobs.id IS 'Number of the job, the same in every table it passes through.';


--
-- Name: COLUMN dead_jobs.run_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.dead_jobs.run_at IS 'Earliest time to run. Ahead of now with attempt 0: scheduled; with attempt above 0: waits after a failure.';


--
-- Name: COLUMN dead_jobs.created_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.dead_jobs.created_at IS 'When the job was inserted.';


--
-- Name: COLUMN dead_jobs.token; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.dead_jobs.token IS 'Fencing token of the last claim.';


--
-- Name: COLUMN dead_jobs.claimed_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.dead_jobs.claimed_at IS 'When the last run began; the epoch before the first.';


--
-- Name: COLUMN dead_jobs.worker; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.dead_jobs.worker IS 'Who had the last run, workers.id; 0 before the first.';


--
-- Name: COLUMN dead_jobs.state; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.dead_jobs.state IS 'Where the job stands.';


--
-- Name: COLUMN dead_jobs.priority; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.dead_jobs.priority IS '1 goes first, 4 last, strictly, within a queue.';


--
-- Name: COLUMN dead_jobs.attempt; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.dead_jobs.attempt IS 'Runs so far, the one under way included. Lost, snoozed and returned runs do not count.';


--
-- Name: COLUMN dead_jobs.max_attempts; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.dead_jobs.max_attempts IS 'How many runs the job may have before it is dead.';


--
-- Name: COLUMN dead_jobs.lost_count; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.dead_jobs.lost_count IS 'Runs that ended because their process did. From the second on the job runs alone; a third leaves it dead.';


--
-- Name: COLUMN dead_jobs.kind; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.dead_jobs.kind IS 'What is to be done: names the handler.';


--
-- Name: COLUMN dead_jobs.queue; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.dead_jobs.queue IS 'Where the job waits.';


--
-- Name: COLUMN dead_jobs.args; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.dead_jobs.args IS 'Arguments for the handler.';


--
-- Name: COLUMN dead_jobs.unique_key; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.dead_jobs.unique_key IS 'Key that the job had; it holds it no longer.';


--
-- Name: COLUMN dead_jobs.parent_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.dead_jobs.parent_id IS 'Kept for later use: the job whose handler inserted this one.';


--
-- Name: COLUMN dead_jobs.tags; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.dead_jobs.tags IS 'Kept for later use: labels to search by.';


--
-- Name: COLUMN dead_jobs.meta; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.dead_jobs.meta IS 'Kept for later use: values that travel with the job, such as a trace.';


--
-- Name: COLUMN dead_jobs.finished_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.dead_jobs.finished_at IS 'When it was given up.';


--
-- Name: finished_jobs; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.finished_jobs (
    id bigint NOT NULL,
    run_at timestamp with time zone NOT NULL,
    created_at timestamp with time zone NOT NULL,
    token bigint NOT NULL,
    claimed_at timestamp with time zone NOT NULL,
    worker bigint NOT NULL,
    state public.job_state NOT NULL,
    priority smallint NOT NULL,
    attempt smallint NOT NULL,
    max_attempts smallint NOT NULL,
    lost_count smallint NOT NULL,
    kind public.job_name NOT NULL,
    queue public.job_name NOT NULL,
    args jsonb NOT NULL,
    unique_key text,
    parent_id bigint,
    tags text[],
    meta jsonb,
    finished_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT finished_jobs_state CHECK ((state = ANY (ARRAY['completed'::public.job_state, 'cancelled'::public.job_state, 'discarded'::public.job_state]))),
    CONSTRAINT finished_jobs_times CHECK (((run_at >= '1970-01-01 00:00:00+00'::timestamp with time zone) AND (run_at < '10000-01-01 00:00:00+00'::timestamp with time zone) AND (finished_at >= '1970-01-01 00:00:00+00'::timestamp with time zone) AND (finished_at < '10000-01-01 00:00:00+00'::timestamp with time zone)))
)
PARTITION BY RANGE (finished_at);


--
-- Name: TABLE finished_jobs; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.finished_jobs IS 'History: completed, cancelled and discarded jobs, a partition for each UTC day of finished_at.';


--
-- Name: COLUMN finished_jobs.id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.finished_jobs.id IS 'Number of the job, the same in every table it passes through.';


--
-- Name: COLUMN finished_jobs.run_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.finished_jobs.run_at IS 'Earliest time to run. Ahead of now with attempt 0: scheduled; with attempt above 0: waits after a failure.';


--
-- Name: COLUMN finished_jobs.created_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.finished_jobs.created_at IS 'When the job was inserted.';


--
-- Name: COLUMN finished_jobs.token; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.finished_jobs.token IS 'Fencing token of the last claim; 0 if it never ran.';


--
-- Name: COLUMN finished_jobs.claimed_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.finished_jobs.claimed_at IS 'When the last run began; the epoch before the first.';


--
-- Name: COLUMN finished_jobs.worker; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.finished_jobs.worker IS 'Who had the last run, workers.id; 0 before the first.';


--
-- Name: COLUMN finished_jobs.state; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.finished_jobs.state IS 'Where the job stands.';


--
-- Name: COLUMN finished_jobs.priority; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.finished_jobs.priority IS '1 goes first, 4 last, strictly, within a queue.';


--
-- Name: COLUMN finished_jobs.attempt; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.finished_jobs.attempt IS 'Runs so far, the one under way included. Lost, snoozed and returned runs do not count.';


--
-- Name: COLUMN finished_jobs.max_attempts; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.finished_jobs.max_attempts IS 'How many runs the job may have before it is dead.';


--
-- Name: COLUMN finished_jobs.lost_count; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.finished_jobs.lost_count IS 'Runs that ended because their process did. From the second on the job runs alone; a third leaves it dead.';


--
-- Name: COLUMN finished_jobs.kind; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.finished_jobs.kind IS 'What is to be done: names the handler.';


--
-- Name: COLUMN finished_jobs.queue; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.finished_jobs.queue IS 'Where the job waits.';


--
-- Name: COLUMN finished_jobs.args; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.finished_jobs.args IS 'Arguments for the handler.';


--
-- Name: COLUMN finished_jobs.unique_key; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.finished_jobs.unique_key IS 'Key that the job had; it holds it no longer.';


--
-- Name: COLUMN finished_jobs.parent_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.finished_jobs.parent_id IS 'Kept for later use: the job whose handler inserted this one.';


--
-- Name: COLUMN finished_jobs.tags; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.finished_jobs.tags IS 'Kept for later use: labels to search by.';


--
-- Name: COLUMN finished_jobs.meta; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.finished_jobs.meta IS 'Kept for later use: values that travel with the job, such as a trace.';


--
-- Name: COLUMN finished_jobs.finished_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.finished_jobs.finished_at IS 'When it was finished.';


--
-- Name: jobs; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.jobs (
    id bigint NOT NULL,
    run_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    token bigint DEFAULT 0 NOT NULL,
    claimed_at timestamp with time zone DEFAULT '1970-01-01 00:00:00+00'::timestamp with time zone NOT NULL,
    worker bigint DEFAULT 0 NOT NULL,
    state public.job_state DEFAULT 'queued'::public.job_state NOT NULL,
    priority smallint DEFAULT 2 NOT NULL,
    attempt smallint DEFAULT 0 NOT NULL,
    max_attempts smallint DEFAULT 26 NOT NULL,
    lost_count smallint DEFAULT 0 NOT NULL,
    kind public.job_name NOT NULL,
    queue public.job_name DEFAULT 'default'::text NOT NULL,
    args jsonb DEFAULT '{}'::jsonb NOT NULL,
    unique_key text,
    parent_id bigint,
    tags text[],
    meta jsonb,
    cancelling boolean DEFAULT false NOT NULL,
    CONSTRAINT jobs_attempt CHECK (((attempt >= 0) AND (attempt <= max_attempts))),
    CONSTRAINT jobs_cancelling CHECK (((state = 'running'::public.job_state) OR (NOT cancelling))),
    CONSTRAINT jobs_claim CHECK (
CASE state
    WHEN 'running'::public.job_state THEN ((token > 0) AND (worker > 0) AND (claimed_at > '1970-01-01 00:00:00+00'::timestamp with time zone) AND (attempt > 0))
    ELSE ((token = 0) AND (attempt < max_attempts))
END),
    CONSTRAINT jobs_lost_count CHECK (((lost_count >= 0) AND (lost_count <= 3))),
    CONSTRAINT jobs_max_attempts CHECK (((max_attempts >= 1) AND (max_attempts <= 1000))),
    CONSTRAINT jobs_priority CHECK (((priority >= 1) AND (priority <= 4))),
    CONSTRAINT jobs_run_at CHECK (((run_at >= '1970-01-01 00:00:00+00'::timestamp with time zone) AND (run_at < '10000-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT jobs_state CHECK ((state = ANY (ARRAY['queued'::public.job_state, 'running'::public.job_state]))),
    CONSTRAINT jobs_unique_key CHECK (((octet_length(unique_key) >= 1) AND (octet_length(unique_key) <= 256)))
)
WITH (fillfactor='45', toast_tuple_target='1024', vacuum_truncate=off, autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='5000', autovacuum_vacuum_insert_scale_factor='0', autovacuum_vacuum_insert_threshold='50000', autovacuum_analyze_scale_factor='0', autovacuum_analyze_threshold='10000', autovacuum_vacuum_cost_delay='0');


--
-- Name: TABLE jobs; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.jobs IS 'Jobs that can still run: queued and running. Claimed with SELECT … FOR UPDATE SKIP LOCKED.';


--
-- Name: COLUMN jobs.id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.jobs.id IS 'Number of the job, the same in every table it passes through.';


--
-- Name: COLUMN jobs.run_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.jobs.run_at IS 'Earliest time to run. Ahead of now with attempt 0: scheduled; with attempt above 0: waits after a failure.';


--
-- Name: COLUMN jobs.created_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.jobs.created_at IS 'When the job was inserted.';


--
-- Name: COLUMN jobs.token; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.jobs.token IS 'Fencing token of the claim that holds the job; 0 if none does. Every write about a running job checks it.';


--
-- Name: COLUMN jobs.claimed_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.jobs.claimed_at IS 'When the last run began; the epoch before the first.';


--
-- Name: COLUMN jobs.worker; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.jobs.worker IS 'Who had the last run, workers.id; 0 before the first.';


--
-- Name: COLUMN jobs.state; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.jobs.state IS 'Where the job stands.';


--
-- Name: COLUMN jobs.priority; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.jobs.priority IS '1 goes first, 4 last, strictly, within a queue.';


--
-- Name: COLUMN jobs.attempt; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.jobs.attempt IS 'Runs so far, the one under way included. Lost, snoozed and returned runs do not count.';


--
-- Name: COLUMN jobs.max_attempts; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.jobs.max_attempts IS 'How many runs the job may have before it is dead.';


--
-- Name: COLUMN jobs.lost_count; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.jobs.lost_count IS 'Runs that ended because their process did. From the second on the job runs alone; a third leaves it dead.';


--
-- Name: COLUMN jobs.kind; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.jobs.kind IS 'What is to be done: names the handler.';


--
-- Name: COLUMN jobs.queue; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.jobs.queue IS 'Where the job waits.';


--
-- Name: COLUMN jobs.args; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.jobs.args IS 'Arguments for the handler.';


--
-- Name: COLUMN jobs.unique_key; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.jobs.unique_key IS 'Only one row of jobs can have a kind and key. Free again once the job is finished or dead.';


--
-- Name: COLUMN jobs.parent_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.jobs.parent_id IS 'Kept for later use: the job whose handler inserted this one.';


--
-- Name: COLUMN jobs.tags; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.jobs.tags IS 'Kept for later use: labels to search by.';


--
-- Name: COLUMN jobs.meta; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.jobs.meta IS 'Kept for later use: values that travel with the job, such as a trace.';


--
-- Name: COLUMN jobs.cancelling; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.jobs.cancelling IS 'The running job was called off: its worker ends its handler, and it is not run again.';


--
-- Name: workers; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.workers (
    id bigint NOT NULL,
    started_at timestamp with time zone DEFAULT now() NOT NULL,
    beat_at timestamp with time zone DEFAULT now() NOT NULL,
    ended_at timestamp with time zone,
    lease interval NOT NULL,
    slots integer NOT NULL,
    running integer DEFAULT 0 NOT NULL,
    state text DEFAULT 'live'::text NOT NULL,
    name text NOT NULL,
    queues text[] NOT NULL,
    asleep boolean DEFAULT false NOT NULL,
    CONSTRAINT workers_ended_at CHECK (((state = 'live'::text) = (ended_at IS NULL))),
    CONSTRAINT workers_state CHECK ((state = ANY (ARRAY['live'::text, 'stopped'::text, 'dead'::text])))
)
WITH (fillfactor='50', autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='1000', autovacuum_vacuum_cost_delay='0');


--
-- Name: TABLE workers; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.workers IS 'A row for each time that a worker process ran. A live one beats once a second.';


--
-- Name: COLUMN workers.id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.workers.id IS 'Number of this run of the process.';


--
-- Name: COLUMN workers.started_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.workers.started_at IS 'When it began.';


--
-- Name: COLUMN workers.beat_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.workers.beat_at IS 'Its last heartbeat.';


--
-- Name: COLUMN workers.ended_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.workers.ended_at IS 'When it stopped or was found dead.';


--
-- Name: COLUMN workers.lease; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.workers.lease IS 'How long it may be silent before it is taken for dead.';


--
-- Name: COLUMN workers.slots; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.workers.slots IS 'How many jobs it runs at once.';


--
-- Name: COLUMN workers.running; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.workers.running IS 'How many jobs it ran at its last heartbeat.';


--
-- Name: COLUMN workers.state; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.workers.state IS 'live; stopped: it ended in order; dead: it fell silent, and its jobs are claimed again.';


--
-- Name: COLUMN workers.name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.workers.name IS 'Host and process, as host:pid.';


--
-- Name: COLUMN workers.queues; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.workers.queues IS 'The queues it works.';


--
-- Name: COLUMN workers.asleep; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.workers.asleep IS 'Whether it is to be woken by NOTIFY when a job of its queues is inserted.';


--
-- Name: all_jobs; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.all_jobs AS
 SELECT j.id,
    j.kind,
    j.queue,
    j.priority,
    j.state,
    j.args,
    j.unique_key,
    j.attempt,
    j.max_attempts,
    j.lost_count,
    j.run_at,
    j.created_at,
    NULLIF(j.claimed_at, '1970-01-01 00:00:00+00'::timestamp with time zone) AS claimed_at,
    j.finished_at,
    ( SELECT w.name
           FROM public.workers w
          WHERE (w.id = j.worker)) AS worker,
    j.token,
    j.parent_id,
    j.tags,
    j.meta
   FROM ( SELECT jobs.id,
            jobs.run_at,
            jobs.created_at,
            jobs.token,
            jobs.claimed_at,
            jobs.worker,
            jobs.state,
            jobs.priority,
            jobs.attempt,
            jobs.max_attempts,
            jobs.lost_count,
            jobs.kind,
            jobs.queue,
            jobs.args,
            jobs.unique_key,
            jobs.parent_id,
            jobs.tags,
            jobs.meta,
            NULL::timestamp with time zone AS finished_at
           FROM public.jobs
        UNION ALL
         SELECT dead_jobs.id,
            dead_jobs.run_at,
            dead_jobs.created_at,
            dead_jobs.token,
            dead_jobs.claimed_at,
            dead_jobs.worker,
            dead_jobs.state,
            dead_jobs.priority,
            dead_jobs.attempt,
            dead_jobs.max_attempts,
            dead_jobs.lost_count,
            dead_jobs.kind,
            dead_jobs.queue,
            dead_jobs.args,
            dead_jobs.unique_key,
            dead_jobs.parent_id,
            dead_jobs.tags,
            dead_jobs.meta,
            dead_jobs.finished_at
           FROM public.dead_jobs
        UNION ALL
         SELECT finished_jobs.id,
            finished_jobs.run_at,
            finished_jobs.created_at,
            finished_jobs.token,
            finished_jobs.claimed_at,
            finished_jobs.worker,
            finished_jobs.state,
            finished_jobs.priority,
            finished_jobs.attempt,
            finished_jobs.max_attempts,
            finished_jobs.lost_count,
            finished_jobs.kind,
            finished_jobs.queue,
            finished_jobs.args,
            finished_jobs.unique_key,
            finished_jobs.parent_id,
            finished_jobs.tags,
            finished_jobs.meta,
            finished_jobs.finished_at
           FROM public.finished_jobs) j;


--
-- Name: VIEW all_jobs; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON VIEW public.all_jobs IS 'Every job: jobs, dead_jobs and finished_jobs together.';


--
-- Name: COLUMN all_jobs.id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.all_jobs.id IS 'Number of the job.';


--
-- Name: COLUMN all_jobs.kind; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.all_jobs.kind IS 'What is to be done: names the handler.';


--
-- Name: COLUMN all_jobs.queue; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.all_jobs.queue IS 'Where the job waits or waited.';


--
-- Name: COLUMN all_jobs.priority; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.all_jobs.priority IS '1 goes first, 4 last.';


--
-- Name: COLUMN all_jobs.state; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.all_jobs.state IS 'Where the job stands.';


--
-- Name: COLUMN all_jobs.args; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.all_jobs.args IS 'Arguments for the handler.';


--
-- Name: COLUMN all_jobs.unique_key; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.all_jobs.unique_key IS 'Key that it holds while it is in jobs.';


--
-- Name: COLUMN all_jobs.attempt; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.all_jobs.attempt IS 'Runs so far, the one under way included.';


--
-- Name: COLUMN all_jobs.max_attempts; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.all_jobs.max_attempts IS 'How many runs it may have.';


--
-- Name: COLUMN all_jobs.lost_count; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.all_jobs.lost_count IS 'Runs that ended because their process did.';


--
-- Name: COLUMN all_jobs.run_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.all_jobs.run_at IS 'When it may run, or last might.';


--
-- Name: COLUMN all_jobs.created_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.all_jobs.created_at IS 'When it was inserted.';


--
-- Name: COLUMN all_jobs.claimed_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.all_jobs.claimed_at IS 'When its last run began; NULL before the first.';


--
-- Name: COLUMN all_jobs.finished_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.all_jobs.finished_at IS 'When it was finished or given up; NULL while it can run.';


--
-- Name: COLUMN all_jobs.worker; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.all_jobs.worker IS 'Who had its last run, as host:pid; NULL before the first.';


--
-- Name: COLUMN all_jobs.token; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.all_jobs.token IS 'Fencing token of its last claim.';


--
-- Name: COLUMN all_jobs.parent_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.all_jobs.parent_id IS 'Kept for later use.';


--
-- Name: COLUMN all_jobs.tags; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.all_jobs.tags IS 'Kept for later use.';


--
-- Name: COLUMN all_jobs.meta; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.all_jobs.meta IS 'Kept for later use.';


--
-- Name: exports; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.exports (
    id bigint NOT NULL,
    requested_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    begun_at timestamp with time zone,
    completed_at timestamp with time zone,
    rows bigint,
    bytes bigint,
    progress bigint DEFAULT 0 NOT NULL,
    attempt integer DEFAULT 0 NOT NULL,
    query text NOT NULL,
    params jsonb DEFAULT '{}'::jsonb NOT NULL,
    mail_to text NOT NULL,
    status text DEFAULT 'pending'::text NOT NULL,
    path text,
    sha256 text,
    error_message text,
    CONSTRAINT exports_attempt CHECK ((attempt >= 0)),
    CONSTRAINT exports_begun CHECK (((status = 'pending'::text) = (begun_at IS NULL))),
    CONSTRAINT exports_bytes CHECK ((bytes >= 0)),
    CONSTRAINT exports_completed CHECK ((num_nonnulls(completed_at, path, rows, bytes, sha256) =
CASE status
    WHEN 'completed'::text THEN 5
    ELSE 0
END)),
    CONSTRAINT exports_error_message CHECK (((char_length(error_message) >= 1) AND (char_length(error_message) <= 1000))),
    CONSTRAINT exports_failed CHECK (((status = 'failed'::text) = (error_message IS NOT NULL))),
    CONSTRAINT exports_mail_to CHECK ((((octet_length(mail_to) >= 3) AND (octet_length(mail_to) <= 320)) AND (mail_to ~~ '%_@_%'::text))),
    CONSTRAINT exports_params CHECK ((jsonb_typeof(params) = 'object'::text)),
    CONSTRAINT exports_path CHECK (((path ~ '^[^/]+$'::text) AND (char_length(path) <= 255))),
    CONSTRAINT exports_pending CHECK (((status = 'pending'::text) = (attempt = 0))),
    CONSTRAINT exports_progress CHECK ((progress >= 0)),
    CONSTRAINT exports_query CHECK (((char_length(query) >= 1) AND (char_length(query) <= 100))),
    CONSTRAINT exports_rows CHECK ((rows >= 0)),
    CONSTRAINT exports_sha256 CHECK (((sha256 COLLATE "C") ~ '^[0-9a-f]{64}$'::text)),
    CONSTRAINT exports_status CHECK ((status = ANY (ARRAY['pending'::text, 'processing'::text, 'completed'::text, 'failed'::text])))
);


--
-- Name: TABLE exports; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.exports IS 'Files that someone asked for. A completed one exists as a whole in the export folder; nothing else is promised of files there.';


--
-- Name: COLUMN exports.id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.exports.id IS 'Number of the export, part of its file''s name.';


--
-- Name: COLUMN exports.requested_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.exports.requested_at IS 'When it was asked for.';


--
-- Name: COLUMN exports.begun_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.exports.begun_at IS 'When its latest attempt began; NULL while it is pending.';


--
-- Name: COLUMN exports.completed_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.exports.completed_at IS 'When its file was complete and on disk.';


--
-- Name: COLUMN exports.rows; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.exports.rows IS 'Rows in the file, the header not counted.';


--
-- Name: COLUMN exports.bytes; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.exports.bytes IS 'Size of the file.';


--
-- Name: COLUMN exports.progress; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.exports.progress IS 'Rows written so far by the latest attempt, brought up to date about once a second.';


--
-- Name: COLUMN exports.attempt; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.exports.attempt IS 'How often it was begun; part of the file''s name. An attempt writes here only while this is its number.';


--
-- Name: COLUMN exports.query; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.exports.query IS 'Name of a registered query; there is no SQL here.';


--
-- Name: COLUMN exports.params; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.exports.params IS 'The query''s parameters by name, as text.';


--
-- Name: COLUMN exports.mail_to; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.exports.mail_to IS 'Who is told when the file is there.';


--
-- Name: COLUMN exports.status; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.exports.status IS 'pending: not begun. processing: begun, or left so by a crash. failed: may begin again. completed: the file is there.';


--
-- Name: COLUMN exports.path; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.exports.path IS 'Name of the file within the export folder.';


--
-- Name: COLUMN exports.sha256; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.exports.sha256 IS 'SHA-256 of the file, in hexadecimal.';


--
-- Name: COLUMN exports.error_message; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.exports.error_message IS 'Why the latest attempt failed.';


--
-- Name: exports_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.exports ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.exports_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: job_failures; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.job_failures (
    job_id bigint NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL,
    worker bigint NOT NULL,
    attempt smallint NOT NULL,
    error text NOT NULL,
    stack text DEFAULT ''::text NOT NULL,
    fingerprint text
);


--
-- Name: TABLE job_failures; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.job_failures IS 'A row for each attempt that went wrong, appended and never changed. Lost runs are not among them.';


--
-- Name: COLUMN job_failures.job_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.job_failures.job_id IS 'The job.';


--
-- Name: COLUMN job_failures.at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.job_failures.at IS 'When the failure was recorded.';


--
-- Name: COLUMN job_failures.worker; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.job_failures.worker IS 'Who had the run, workers.id.';


--
-- Name: COLUMN job_failures.attempt; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.job_failures.attempt IS 'Which attempt it was, from 1.';


--
-- Name: COLUMN job_failures.error; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.job_failures.error IS 'The error: at most 10,000 characters, without NUL.';


--
-- Name: COLUMN job_failures.stack; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.job_failures.stack IS 'Stack of a panic or Goexit, at most 16 KiB; else empty.';


--
-- Name: COLUMN job_failures.fingerprint; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.job_failures.fingerprint IS 'Kept for later use: the same for failures that belong together.';


--
-- Name: failing_jobs; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.failing_jobs AS
 SELECT f.error,
    count(*) AS failures,
    count(DISTINCT f.job_id) AS jobs,
    min(f.at) AS first_at,
    max(f.at) AS last_at,
    max(f.job_id) AS latest_job
   FROM public.job_failures f
  WHERE (f.at > (now() - '1 day'::interval))
  GROUP BY f.error;


--
-- Name: VIEW failing_jobs; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON VIEW public.failing_jobs IS 'Failures of the last day by their error.';


--
-- Name: COLUMN failing_jobs.error; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.failing_jobs.error IS 'The error.';


--
-- Name: COLUMN failing_jobs.failures; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.failing_jobs.failures IS 'How many failures.';


--
-- Name: COLUMN failing_jobs.jobs; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.failing_jobs.jobs IS 'Of how many jobs.';


--
-- Name: COLUMN failing_jobs.first_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.failing_jobs.first_at IS 'The first of them.';


--
-- Name: COLUMN failing_jobs.last_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.failing_jobs.last_at IS 'The last of them.';


--
-- Name: COLUMN failing_jobs.latest_job; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.failing_jobs.latest_job IS 'The newest job among them.';


--
-- Name: finished_jobs_default; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.finished_jobs_default (
    id bigint NOT NULL,
    run_at timestamp with time zone NOT NULL,
    created_at timestamp with time zone NOT NULL,
    token bigint NOT NULL,
    claimed_at timestamp with time zone NOT NULL,
    worker bigint NOT NULL,
    state public.job_state NOT NULL,
    priority smallint NOT NULL,
    attempt smallint NOT NULL,
    max_attempts smallint NOT NULL,
    lost_count smallint NOT NULL,
    kind public.job_name NOT NULL,
    queue public.job_name NOT NULL,
    args jsonb NOT NULL,
    unique_key text,
    parent_id bigint,
    tags text[],
    meta jsonb,
    finished_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT finished_jobs_state CHECK ((state = ANY (ARRAY['completed'::public.job_state, 'cancelled'::public.job_state, 'discarded'::public.job_state]))),
    CONSTRAINT finished_jobs_times CHECK (((run_at >= '1970-01-01 00:00:00+00'::timestamp with time zone) AND (run_at < '10000-01-01 00:00:00+00'::timestamp with time zone) AND (finished_at >= '1970-01-01 00:00:00+00'::timestamp with time zone) AND (finished_at < '10000-01-01 00:00:00+00'::timestamp with time zone)))
)
WITH (toast_tuple_target='1024');


--
-- Name: TABLE finished_jobs_default; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.finished_jobs_default IS 'Catches what is finished on a day that has no partition, so that no finish fails. Empty while workers run.';


--
-- Name: COLUMN finished_jobs_default.id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.finished_jobs_default.id IS 'Number of the job, the same in every table it passes through.';


--
-- Name: COLUMN finished_jobs_default.run_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.finished_jobs_default.run_at IS 'Earliest time to run. Ahead of now with attempt 0: scheduled; with attempt above 0: waits after a failure.';


--
-- Name: COLUMN finished_jobs_default.created_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.finished_jobs_default.created_at IS 'When the job was inserted.';


--
-- Name: COLUMN finished_jobs_default.token; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.finished_jobs_default.token IS 'Fencing token of the last claim; 0 if it never ran.';


--
-- Name: COLUMN finished_jobs_default.claimed_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.finished_jobs_default.claimed_at IS 'When the last run began; the epoch before the first.';


--
-- Name: COLUMN finished_jobs_default.worker; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.finished_jobs_default.worker IS 'Who had the last run, workers.id; 0 before the first.';


--
-- Name: COLUMN finished_jobs_default.state; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.finished_jobs_default.state IS 'Where the job stands.';


--
-- Name: COLUMN finished_jobs_default.priority; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.finished_jobs_default.priority IS '1 goes first, 4 last, strictly, within a queue.';


--
-- Name: COLUMN finished_jobs_default.attempt; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.finished_jobs_default.attempt IS 'Runs so far, the one under way included. Lost, snoozed and returned runs do not count.';


--
-- Name: COLUMN finished_jobs_default.max_attempts; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.finished_jobs_default.max_attempts IS 'How many runs the job may have before it is dead.';


--
-- Name: COLUMN finished_jobs_default.lost_count; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.finished_jobs_default.lost_count IS 'Runs that ended because their process did. From the second on the job runs alone; a third leaves it dead.';


--
-- Name: COLUMN finished_jobs_default.kind; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.finished_jobs_default.kind IS 'What is to be done: names the handler.';


--
-- Name: COLUMN finished_jobs_default.queue; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.finished_jobs_default.queue IS 'Where the job waits.';


--
-- Name: COLUMN finished_jobs_default.args; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.finished_jobs_default.args IS 'Arguments for the handler.';


--
-- Name: COLUMN finished_jobs_default.unique_key; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.finished_jobs_default.unique_key IS 'Key that the job had; it holds it no longer.';


--
-- Name: COLUMN finished_jobs_default.parent_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.finished_jobs_default.parent_id IS 'Kept for later use: the job whose handler inserted this one.';


--
-- Name: COLUMN finished_jobs_default.tags; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.finished_jobs_default.tags IS 'Kept for later use: labels to search by.';


--
-- Name: COLUMN finished_jobs_default.meta; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.finished_jobs_default.meta IS 'Kept for later use: values that travel with the job, such as a trace.';


--
-- Name: COLUMN finished_jobs_default.finished_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.finished_jobs_default.finished_at IS 'When it was finished.';


--
-- Name: given_up_jobs; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.given_up_jobs AS
 SELECT d.id,
    d.kind,
    d.queue,
    d.finished_at,
    d.attempt,
    d.lost_count,
    d.args,
    ( SELECT f.error
           FROM public.job_failures f
          WHERE (f.job_id = d.id)
          ORDER BY f.at DESC
         LIMIT 1) AS last_error
   FROM public.dead_jobs d;


--
-- Name: VIEW given_up_jobs; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON VIEW public.given_up_jobs IS 'Dead jobs and the last error of each.';


--
-- Name: COLUMN given_up_jobs.id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.given_up_jobs.id IS 'Number of the job, the same in every table it passes through.';


--
-- Name: COLUMN given_up_jobs.kind; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.given_up_jobs.kind IS 'What is to be done: names the handler.';


--
-- Name: COLUMN given_up_jobs.queue; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.given_up_jobs.queue IS 'Where the job waits.';


--
-- Name: COLUMN given_up_jobs.finished_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.given_up_jobs.finished_at IS 'When it was given up.';


--
-- Name: COLUMN given_up_jobs.attempt; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.given_up_jobs.attempt IS 'Runs so far, the one under way included. Lost, snoozed and returned runs do not count.';


--
-- Name: COLUMN given_up_jobs.lost_count; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.given_up_jobs.lost_count IS 'Runs that ended because their process did. From the second on the job runs alone; a third leaves it dead.';


--
-- Name: COLUMN given_up_jobs.args; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.given_up_jobs.args IS 'Arguments for the handler.';


--
-- Name: COLUMN given_up_jobs.last_error; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.given_up_jobs.last_error IS 'Its latest failure; NULL if it has none.';


--
-- Name: jobs_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.jobs ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.jobs_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: live_workers; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.live_workers AS
 SELECT w.id,
    w.name,
    w.queues,
    w.slots,
    w.running,
    (now() - w.started_at) AS up,
    (now() - w.beat_at) AS silent
   FROM public.workers w
  WHERE (w.state = 'live'::text);


--
-- Name: VIEW live_workers; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON VIEW public.live_workers IS 'Worker processes that live.';


--
-- Name: COLUMN live_workers.id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.live_workers.id IS 'Number of the job, the same in every table it passes through.';


--
-- Name: COLUMN live_workers.name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.live_workers.name IS 'Host and process, as host:pid.';


--
-- Name: COLUMN live_workers.queues; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.live_workers.queues IS 'The queues it works.';


--
-- Name: COLUMN live_workers.slots; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.live_workers.slots IS 'How many jobs it runs at once.';


--
-- Name: COLUMN live_workers.running; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.live_workers.running IS 'Held by a worker.';


--
-- Name: COLUMN live_workers.up; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.live_workers.up IS 'For how long it has run.';


--
-- Name: COLUMN live_workers.silent; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.live_workers.silent IS 'Since its last heartbeat.';


--
-- Name: loads; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.loads (
    id bigint NOT NULL,
    started_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    ended_at timestamp with time zone,
    placed bigint DEFAULT 0 NOT NULL,
    rejected bigint DEFAULT 0 NOT NULL,
    source text NOT NULL,
    CONSTRAINT loads_placed CHECK ((placed >= 0)),
    CONSTRAINT loads_rejected CHECK ((rejected >= 0)),
    CONSTRAINT loads_source CHECK (((char_length(source) >= 1) AND (char_length(source) <= 1000)))
);


--
-- Name: TABLE loads; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.loads IS 'Files and made orders that were loaded, and how many of their rows were orders.';


--
-- Name: COLUMN loads.id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.loads.id IS 'Number of the row.';


--
-- Name: COLUMN loads.started_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.loads.started_at IS 'When it began.';


--
-- Name: COLUMN loads.ended_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.loads.ended_at IS 'When it ended; NULL while it goes on, or if it was killed.';


--
-- Name: COLUMN loads.placed; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.loads.placed IS 'Rows that became orders, counted when it ends.';


--
-- Name: COLUMN loads.rejected; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.loads.rejected IS 'Rows that did not, counted when it ends.';


--
-- Name: COLUMN loads.source; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.loads.source IS 'Name of the file, or how the orders were made.';


--
-- Name: loads_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.loads ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.loads_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: mail_deliveries; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.mail_deliveries (
    key text NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    sent_at timestamp with time zone,
    refused_at timestamp with time zone,
    attempts integer DEFAULT 1 NOT NULL,
    kind text NOT NULL,
    recipient text NOT NULL,
    state text DEFAULT 'sending'::text NOT NULL,
    refusal text,
    CONSTRAINT mail_deliveries_attempts CHECK ((attempts >= 1)),
    CONSTRAINT mail_deliveries_key CHECK (((key COLLATE "C") ~ '^[a-z0-9][a-z0-9.-]{0,99}$'::text)),
    CONSTRAINT mail_deliveries_kind CHECK (((kind COLLATE "C") ~ '^[a-z][a-z_]{0,49}$'::text)),
    CONSTRAINT mail_deliveries_recipient CHECK ((((octet_length(recipient) >= 3) AND (octet_length(recipient) <= 320)) AND (recipient ~~ '%_@_%'::text))),
    CONSTRAINT mail_deliveries_refusal CHECK (((char_length(refusal) >= 1) AND (char_length(refusal) <= 1000))),
    CONSTRAINT mail_deliveries_refused CHECK ((num_nonnulls(refused_at, refusal) =
CASE state
    WHEN 'refused'::text THEN 2
    ELSE 0
END)),
    CONSTRAINT mail_deliveries_sent CHECK (((state = 'sent'::text) = (sent_at IS NOT NULL))),
    CONSTRAINT mail_deliveries_state CHECK ((state = ANY (ARRAY['sending'::text, 'sent'::text, 'refused'::text])))
);


--
-- Name: TABLE mail_deliveries; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.mail_deliveries IS 'Mails, each on record before it is first sent. A sent one is not sent again; one found sending may have been.';


--
-- Name: COLUMN mail_deliveries.key; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.mail_deliveries.key IS 'What the mail is about, such as order-42-confirmation; its Message-ID is made of it.';


--
-- Name: COLUMN mail_deliveries.created_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.mail_deliveries.created_at IS 'When it was put on record, which is the mail''s Date.';


--
-- Name: COLUMN mail_deliveries.sent_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.mail_deliveries.sent_at IS 'When the mail server had taken it, together with the end of the job.';


--
-- Name: COLUMN mail_deliveries.refused_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.mail_deliveries.refused_at IS 'When the mail server refused it for good.';


--
-- Name: COLUMN mail_deliveries.attempts; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.mail_deliveries.attempts IS 'How often it was about to be sent.';


--
-- Name: COLUMN mail_deliveries.kind; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.mail_deliveries.kind IS 'confirmation or export_ready.';


--
-- Name: COLUMN mail_deliveries.recipient; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.mail_deliveries.recipient IS 'Address that it goes to.';


--
-- Name: COLUMN mail_deliveries.state; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.mail_deliveries.state IS 'sending: about to be sent, perhaps sent. sent: taken by the mail server. refused: a permanent no.';


--
-- Name: COLUMN mail_deliveries.refusal; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.mail_deliveries.refusal IS 'The mail server''s reply to a refused mail.';


--
-- Name: orders; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.orders (
    id bigint NOT NULL,
    placed_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    settled_at timestamp with time zone,
    amount bigint NOT NULL,
    number text NOT NULL,
    customer_name text NOT NULL,
    customer_email text NOT NULL,
    currency text NOT NULL,
    card_token text NOT NULL,
    status text DEFAULT 'placed'::text NOT NULL,
    CONSTRAINT orders_amount CHECK (((amount >= 1) AND (amount <= '9999999999999'::bigint))),
    CONSTRAINT orders_card_token CHECK (((char_length(card_token) >= 1) AND (char_length(card_token) <= 255))),
    CONSTRAINT orders_currency CHECK (((currency COLLATE "C") ~ '^[A-Z]{3}$'::text)),
    CONSTRAINT orders_customer_email CHECK ((((octet_length(customer_email) >= 3) AND (octet_length(customer_email) <= 320)) AND (customer_email ~~ '%_@_%'::text))),
    CONSTRAINT orders_customer_name CHECK ((char_length(customer_name) <= 500)),
    CONSTRAINT orders_number CHECK (((char_length(number) >= 1) AND (char_length(number) <= 100))),
    CONSTRAINT orders_placed_at CHECK (((placed_at >= '1970-01-01 00:00:00+00'::timestamp with time zone) AND (placed_at < '10000-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT orders_settled CHECK (((status = 'placed'::text) = (settled_at IS NULL))),
    CONSTRAINT orders_status CHECK ((status = ANY (ARRAY['placed'::text, 'processed'::text, 'payment_failed'::text])))
);


--
-- Name: TABLE orders; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.orders IS 'What customers asked for. An order is placed until its payment is captured (processed) or its card declined (payment_failed).';


--
-- Name: COLUMN orders.id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.orders.id IS 'Number of the row, which jobs and payments name.';


--
-- Name: COLUMN orders.placed_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.orders.placed_at IS 'When the customer placed it, by the file it came from; else when the row was made.';


--
-- Name: COLUMN orders.settled_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.orders.settled_at IS 'When it was processed or its payment failed; NULL while it is placed.';


--
-- Name: COLUMN orders.amount; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.orders.amount IS 'Price in hundredths of its currency, whichever that is: 1999 is 19.99.';


--
-- Name: COLUMN orders.number; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.orders.number IS 'Number of the order as the customer knows it.';


--
-- Name: COLUMN orders.customer_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.orders.customer_name IS 'Name of the customer; may hold line breaks, may be empty.';


--
-- Name: COLUMN orders.customer_email; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.orders.customer_email IS 'Address that the confirmation goes to.';


--
-- Name: COLUMN orders.currency; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.orders.currency IS 'ISO 4217: three capital letters.';


--
-- Name: COLUMN orders.card_token; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.orders.card_token IS 'What the payment gateway calls the card.';


--
-- Name: COLUMN orders.status; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.orders.status IS 'placed: to be charged. processed: charged once. payment_failed: the card was declined.';


--
-- Name: orders_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.orders ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.orders_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: payments; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.payments (
    id bigint NOT NULL,
    order_id bigint NOT NULL,
    amount bigint NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    settled_at timestamp with time zone,
    key uuid DEFAULT gen_random_uuid() NOT NULL,
    currency text NOT NULL,
    card_token text NOT NULL,
    state text DEFAULT 'initiated'::text NOT NULL,
    gateway_answer text,
    CONSTRAINT payments_amount CHECK (((amount >= 1) AND (amount <= '9999999999999'::bigint))),
    CONSTRAINT payments_answered CHECK (((state = 'initiated'::text) = (gateway_answer IS NULL))),
    CONSTRAINT payments_card_token CHECK (((char_length(card_token) >= 1) AND (char_length(card_token) <= 255))),
    CONSTRAINT payments_currency CHECK (((currency COLLATE "C") ~ '^[A-Z]{3}$'::text)),
    CONSTRAINT payments_gateway_answer CHECK (((char_length(gateway_answer) >= 1) AND (char_length(gateway_answer) <= 1000))),
    CONSTRAINT payments_settled CHECK (((state = 'initiated'::text) = (settled_at IS NULL))),
    CONSTRAINT payments_state CHECK ((state = ANY (ARRAY['initiated'::text, 'captured'::text, 'declined'::text])))
);


--
-- Name: TABLE payments; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.payments IS 'Attempts to collect an order''s amount, each under an idempotency key of its own. An order has at most one that is not declined.';


--
-- Name: COLUMN payments.id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.payments.id IS 'Number of the row.';


--
-- Name: COLUMN payments.order_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.payments.order_id IS 'Order that is paid for.';


--
-- Name: COLUMN payments.amount; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.payments.amount IS 'The order''s amount when the payment began, in hundredths of its currency.';


--
-- Name: COLUMN payments.created_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.payments.created_at IS 'When it was put on record, before anything was sent.';


--
-- Name: COLUMN payments.settled_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.payments.settled_at IS 'When the gateway''s answer was put on record; NULL while there is none.';


--
-- Name: COLUMN payments.key; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.payments.key IS 'Idempotency key: the gateway charges it once, however often it is sent.';


--
-- Name: COLUMN payments.currency; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.payments.currency IS 'ISO 4217: three capital letters.';


--
-- Name: COLUMN payments.card_token; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.payments.card_token IS 'What the payment gateway calls the card.';


--
-- Name: COLUMN payments.state; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.payments.state IS 'initiated: may have been sent, no answer yet. captured: charged. declined: refused for good.';


--
-- Name: COLUMN payments.gateway_answer; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.payments.gateway_answer IS 'The gateway''s reference of a captured payment, its reason of a declined one.';


--
-- Name: payments_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.payments ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.payments_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: queues; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.queues (
    name public.job_name NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    paused_at timestamp with time zone
);


--
-- Name: TABLE queues; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.queues IS 'What is set for a queue. A queue without a row here runs with the defaults.';


--
-- Name: COLUMN queues.name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.queues.name IS 'The queue.';


--
-- Name: COLUMN queues.created_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.queues.created_at IS 'When the row was made.';


--
-- Name: COLUMN queues.paused_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.queues.paused_at IS 'Since when no job of it is claimed; NULL if it is not paused.';


--
-- Name: queue_stats; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.queue_stats AS
 SELECT n.name AS queue,
    (q.paused_at IS NOT NULL) AS paused,
    count(j.id) FILTER (WHERE ((j.state = 'queued'::public.job_state) AND (j.run_at <= now()))) AS ready,
    count(j.id) FILTER (WHERE ((j.state = 'queued'::public.job_state) AND (j.run_at > now()) AND (j.attempt = 0))) AS scheduled,
    count(j.id) FILTER (WHERE ((j.state = 'queued'::public.job_state) AND (j.run_at > now()) AND (j.attempt > 0))) AS retrying,
    count(j.id) FILTER (WHERE (j.state = 'running'::public.job_state)) AS running,
    ( SELECT count(*) AS count
           FROM public.dead_jobs d
          WHERE ((d.queue)::text = n.name)) AS dead,
    (now() - min(j.run_at) FILTER (WHERE ((j.state = 'queued'::public.job_state) AND (j.run_at <= now())))) AS latency
   FROM ((( SELECT (jobs.queue)::text AS name
           FROM public.jobs
        UNION
         SELECT (dead_jobs.queue)::text AS queue
           FROM public.dead_jobs
        UNION
         SELECT unnest(workers.queues) AS unnest
           FROM public.workers
          WHERE (workers.state = 'live'::text)
        UNION
         SELECT (queues.name)::text AS name
           FROM public.queues
          WHERE (queues.paused_at IS NOT NULL)) n
     LEFT JOIN public.jobs j ON (((j.queue)::text = n.name)))
     LEFT JOIN public.queues q ON (((q.name)::text = n.name)))
  GROUP BY n.name, q.paused_at;


--
-- Name: VIEW queue_stats; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON VIEW public.queue_stats IS 'How each queue stands. It counts all rows: for long queues see Client.Stats, whose counting stops.';


--
-- Name: COLUMN queue_stats.queue; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.queue_stats.queue IS 'Where the job waits.';


--
-- Name: COLUMN queue_stats.paused; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.queue_stats.paused IS 'Whether it is paused.';


--
-- Name: COLUMN queue_stats.ready; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.queue_stats.ready IS 'Queued and due.';


--
-- Name: COLUMN queue_stats.scheduled; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.queue_stats.scheduled IS 'Queued, not due, no attempt yet.';


--
-- Name: COLUMN queue_stats.retrying; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.queue_stats.retrying IS 'Queued, not due, after an attempt.';


--
-- Name: COLUMN queue_stats.running; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.queue_stats.running IS 'Held by a worker.';


--
-- Name: COLUMN queue_stats.dead; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.queue_stats.dead IS 'Given up.';


--
-- Name: COLUMN queue_stats.latency; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.queue_stats.latency IS 'For how long the first ready one has been due; NULL if none is.';


--
-- Name: rowlock_shop_versions; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.rowlock_shop_versions (
    id integer NOT NULL,
    version_id bigint NOT NULL,
    is_applied boolean NOT NULL,
    tstamp timestamp without time zone DEFAULT now() NOT NULL
);


--
-- Name: rowlock_shop_versions_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.rowlock_shop_versions ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.rowlock_shop_versions_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: rowlock_versions; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.rowlock_versions (
    id integer NOT NULL,
    version_id bigint NOT NULL,
    is_applied boolean NOT NULL,
    tstamp timestamp without time zone DEFAULT now() NOT NULL
);


--
-- Name: rowlock_versions_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.rowlock_versions ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.rowlock_versions_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: running_jobs; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.running_jobs AS
 SELECT j.id,
    j.kind,
    j.queue,
    (now() - j.claimed_at) AS age,
    w.name AS worker,
    w.state AS worker_state,
    j.attempt,
    j.max_attempts,
    j.lost_count,
    j.cancelling,
    j.args
   FROM (public.jobs j
     LEFT JOIN public.workers w ON ((w.id = j.worker)))
  WHERE (j.state = 'running'::public.job_state);


--
-- Name: VIEW running_jobs; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON VIEW public.running_jobs IS 'Running jobs, for how long, and where.';


--
-- Name: COLUMN running_jobs.id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.running_jobs.id IS 'Number of the job, the same in every table it passes through.';


--
-- Name: COLUMN running_jobs.kind; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.running_jobs.kind IS 'What is to be done: names the handler.';


--
-- Name: COLUMN running_jobs.queue; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.running_jobs.queue IS 'Where the job waits.';


--
-- Name: COLUMN running_jobs.age; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.running_jobs.age IS 'For how long it has run.';


--
-- Name: COLUMN running_jobs.worker; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.running_jobs.worker IS 'Who runs it, as host:pid.';


--
-- Name: COLUMN running_jobs.worker_state; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.running_jobs.worker_state IS 'How that worker is: live, stopped or dead.';


--
-- Name: COLUMN running_jobs.attempt; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.running_jobs.attempt IS 'Runs so far, the one under way included. Lost, snoozed and returned runs do not count.';


--
-- Name: COLUMN running_jobs.max_attempts; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.running_jobs.max_attempts IS 'How many runs the job may have before it is dead.';


--
-- Name: COLUMN running_jobs.lost_count; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.running_jobs.lost_count IS 'Runs that ended because their process did. From the second on the job runs alone; a third leaves it dead.';


--
-- Name: COLUMN running_jobs.cancelling; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.running_jobs.cancelling IS 'The running job was called off: its worker ends its handler, and it is not run again.';


--
-- Name: COLUMN running_jobs.args; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.running_jobs.args IS 'Arguments for the handler.';


--
-- Name: stuck_jobs; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.stuck_jobs AS
 SELECT j.id,
    j.kind,
    j.queue,
    j.state,
    (now() - GREATEST(j.run_at, j.claimed_at)) AS since,
        CASE
            WHEN ((j.state = 'running'::public.job_state) AND (w.state IS DISTINCT FROM 'live'::text)) THEN 'its worker is gone, and no other has claimed it'::text
            WHEN (j.state = 'running'::public.job_state) THEN 'it has run for an hour'::text
            WHEN (q.paused_at IS NOT NULL) THEN 'its queue is paused'::text
            WHEN (NOT (EXISTS ( SELECT
               FROM public.workers l
              WHERE ((l.state = 'live'::text) AND ((j.queue)::text = ANY (l.queues)))))) THEN 'no worker works its queue'::text
            ELSE 'no slot was free, or no worker has a handler for its kind'::text
        END AS why
   FROM ((public.jobs j
     LEFT JOIN public.workers w ON ((w.id = j.worker)))
     LEFT JOIN public.queues q ON (((q.name)::text = (j.queue)::text)))
  WHERE (((j.state = 'queued'::public.job_state) AND (j.run_at < (now() - '00:05:00'::interval))) OR ((j.state = 'running'::public.job_state) AND (j.claimed_at < (now() - '01:00:00'::interval))) OR ((j.state = 'running'::public.job_state) AND (w.state IS DISTINCT FROM 'live'::text)));


--
-- Name: VIEW stuck_jobs; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON VIEW public.stuck_jobs IS 'Jobs due for 5 minutes and not claimed, running for an hour, or held by a worker that is gone; and why.';


--
-- Name: COLUMN stuck_jobs.id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.stuck_jobs.id IS 'Number of the job, the same in every table it passes through.';


--
-- Name: COLUMN stuck_jobs.kind; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.stuck_jobs.kind IS 'What is to be done: names the handler.';


--
-- Name: COLUMN stuck_jobs.queue; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.stuck_jobs.queue IS 'Where the job waits.';


--
-- Name: COLUMN stuck_jobs.state; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.stuck_jobs.state IS 'Where the job stands.';


--
-- Name: COLUMN stuck_jobs.since; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.stuck_jobs.since IS 'For how long.';


--
-- Name: COLUMN stuck_jobs.why; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.stuck_jobs.why IS 'Why it is here.';


--
-- Name: waiting_jobs; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.waiting_jobs AS
 SELECT j.id,
    j.kind,
    j.queue,
    j.priority,
        CASE
            WHEN (q.paused_at IS NOT NULL) THEN 'paused'::text
            WHEN (j.run_at <= now()) THEN 'ready'::text
            WHEN (j.attempt > 0) THEN 'retrying'::text
            ELSE 'scheduled'::text
        END AS why,
    j.run_at,
    j.attempt,
    j.max_attempts,
    j.args,
    ( SELECT f.error
           FROM public.job_failures f
          WHERE (f.job_id = j.id)
          ORDER BY f.at DESC
         LIMIT 1) AS last_error
   FROM (public.jobs j
     LEFT JOIN public.queues q ON (((q.name)::text = (j.queue)::text)))
  WHERE (j.state = 'queued'::public.job_state);


--
-- Name: VIEW waiting_jobs; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON VIEW public.waiting_jobs IS 'Queued jobs, and why each waits: ready, scheduled, retrying or paused.';


--
-- Name: COLUMN waiting_jobs.id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.waiting_jobs.id IS 'Number of the job, the same in every table it passes through.';


--
-- Name: COLUMN waiting_jobs.kind; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.waiting_jobs.kind IS 'What is to be done: names the handler.';


--
-- Name: COLUMN waiting_jobs.queue; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.waiting_jobs.queue IS 'Where the job waits.';


--
-- Name: COLUMN waiting_jobs.priority; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.waiting_jobs.priority IS '1 goes first, 4 last, strictly, within a queue.';


--
-- Name: COLUMN waiting_jobs.why; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.waiting_jobs.why IS 'Why it is here.';


--
-- Name: COLUMN waiting_jobs.run_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.waiting_jobs.run_at IS 'Earliest time to run. Ahead of now with attempt 0: scheduled; with attempt above 0: waits after a failure.';


--
-- Name: COLUMN waiting_jobs.attempt; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.waiting_jobs.attempt IS 'Runs so far, the one under way included. Lost, snoozed and returned runs do not count.';


--
-- Name: COLUMN waiting_jobs.max_attempts; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.waiting_jobs.max_attempts IS 'How many runs the job may have before it is dead.';


--
-- Name: COLUMN waiting_jobs.args; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.waiting_jobs.args IS 'Arguments for the handler.';


--
-- Name: COLUMN waiting_jobs.last_error; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.waiting_jobs.last_error IS 'Its latest failure; NULL if it has none.';


--
-- Name: workers_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.workers ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.workers_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: finished_jobs_default; Type: TABLE ATTACH; Schema: public; Owner: -
--

ALTER TABLE ONLY public.finished_jobs ATTACH PARTITION public.finished_jobs_default DEFAULT;


--
-- Name: dead_jobs dead_jobs_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.dead_jobs
    ADD CONSTRAINT dead_jobs_pkey PRIMARY KEY (id);


--
-- Name: exports exports_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.exports
    ADD CONSTRAINT exports_pkey PRIMARY KEY (id);


--
-- Name: jobs jobs_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.jobs
    ADD CONSTRAINT jobs_pkey PRIMARY KEY (id);


--
-- Name: loads loads_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.loads
    ADD CONSTRAINT loads_pkey PRIMARY KEY (id);


--
-- Name: mail_deliveries mail_deliveries_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.mail_deliveries
    ADD CONSTRAINT mail_deliveries_pkey PRIMARY KEY (key);


--
-- Name: orders orders_number_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.orders
    ADD CONSTRAINT orders_number_key UNIQUE (number);


--
-- Name: orders orders_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.orders
    ADD CONSTRAINT orders_pkey PRIMARY KEY (id);


--
-- Name: payments payments_key_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.payments
    ADD CONSTRAINT payments_key_key UNIQUE (key);


--
-- Name: payments payments_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.payments
    ADD CONSTRAINT payments_pkey PRIMARY KEY (id);


--
-- Name: queues queues_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.queues
    ADD CONSTRAINT queues_pkey PRIMARY KEY (name);


--
-- Name: rowlock_shop_versions rowlock_shop_versions_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.rowlock_shop_versions
    ADD CONSTRAINT rowlock_shop_versions_pkey PRIMARY KEY (id);


--
-- Name: rowlock_versions rowlock_versions_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.rowlock_versions
    ADD CONSTRAINT rowlock_versions_pkey PRIMARY KEY (id);


--
-- Name: workers workers_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.workers
    ADD CONSTRAINT workers_pkey PRIMARY KEY (id);


--
-- Name: dead_jobs_queue; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX dead_jobs_queue ON public.dead_jobs USING btree (queue);


--
-- Name: INDEX dead_jobs_queue; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.dead_jobs_queue IS 'For counting the dead of a queue.';


--
-- Name: INDEX exports_pkey; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.exports_pkey IS 'One row for each id.';


--
-- Name: finished_jobs_id; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX finished_jobs_id ON ONLY public.finished_jobs USING btree (id);


--
-- Name: INDEX finished_jobs_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.finished_jobs_id IS 'For finding a job by its number.';


--
-- Name: finished_jobs_default_id_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX finished_jobs_default_id_idx ON public.finished_jobs_default USING btree (id);


--
-- Name: job_failures_job_id; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX job_failures_job_id ON public.job_failures USING btree (job_id);


--
-- Name: INDEX job_failures_job_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.job_failures_job_id IS 'For the failures of one job.';


--
-- Name: jobs_cancelling; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX jobs_cancelling ON public.jobs USING btree (id) WHERE cancelling;


--
-- Name: INDEX jobs_cancelling; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.jobs_cancelling IS 'The few that their workers have to look for.';


--
-- Name: jobs_ready; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX jobs_ready ON public.jobs USING btree (queue, priority, run_at, ((id + 0)));


--
-- Name: INDEX jobs_ready; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.jobs_ready IS 'The order of claims within a queue. Names no column that a claim writes.';


--
-- Name: jobs_unique; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX jobs_unique ON public.jobs USING btree (kind, unique_key) WHERE (unique_key IS NOT NULL);


--
-- Name: INDEX jobs_unique; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.jobs_unique IS 'One live job for each kind and unique key.';


--
-- Name: INDEX loads_pkey; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.loads_pkey IS 'One row for each id.';


--
-- Name: INDEX mail_deliveries_pkey; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.mail_deliveries_pkey IS 'One row for each mail.';


--
-- Name: INDEX orders_number_key; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.orders_number_key IS 'Finds an order by number, and refuses a second one.';


--
-- Name: INDEX orders_pkey; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.orders_pkey IS 'One row for each id.';


--
-- Name: INDEX payments_key_key; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.payments_key_key IS 'Finds a payment by what the gateway calls it.';


--
-- Name: payments_live; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX payments_live ON public.payments USING btree (order_id) WHERE (state = ANY (ARRAY['initiated'::text, 'captured'::text]));


--
-- Name: INDEX payments_live; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.payments_live IS 'An order has at most one payment that is not declined.';


--
-- Name: payments_order_id; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX payments_order_id ON public.payments USING btree (order_id);


--
-- Name: INDEX payments_order_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.payments_order_id IS 'Finds the payments of an order, declined ones too.';


--
-- Name: INDEX payments_pkey; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.payments_pkey IS 'One row for each id.';


--
-- Name: finished_jobs_default_id_idx; Type: INDEX ATTACH; Schema: public; Owner: -
--

ALTER INDEX public.finished_jobs_id ATTACH PARTITION public.finished_jobs_default_id_idx;


--
-- Name: payments payments_order_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.payments
    ADD CONSTRAINT payments_order_id_fkey FOREIGN KEY (order_id) REFERENCES public.orders(id);


--
-- PostgreSQL database dump complete
--

