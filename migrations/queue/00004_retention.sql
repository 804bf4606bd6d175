-- +goose Up

-- Functions below keep this path: nobody's temporary tables come before ours.
SELECT set_config('search_path', quote_ident(current_schema()) || ', pg_temp', true);

-- One day a call, so that no lock is held while another day is emptied. DROP locks
-- the parent, and whoever finishes a job meanwhile waits behind that: so it gives up
-- after a tenth of a second, and the day, which is empty by then, is dropped another
-- time.
-- +goose StatementBegin
CREATE FUNCTION drop_finished_day(keep interval) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT
SET lock_timeout = '1s'
SET timezone = 'UTC'
AS $$
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
$$;
-- +goose StatementEnd

COMMENT ON FUNCTION drop_finished_day IS
  'Removes the oldest day of finished_jobs that is over for longer than keep, with the failures of its jobs, and returns its name: empty if somebody uses it now, NULL if there is none. Any worker calls it.';

-- +goose Down

DROP FUNCTION drop_finished_day;
