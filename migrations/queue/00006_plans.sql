-- +goose Up

-- A session keeps the plan that it made while jobs was nearly empty, and that may read the
-- whole table: with 100,000 rows a try_cancel_job then took 81 ms, until the next ANALYZE.
ALTER FUNCTION try_cancel_job SET enable_seqscan = off;
ALTER FUNCTION try_retry_job SET enable_seqscan = off;
ALTER FUNCTION try_delete_job SET enable_seqscan = off;

-- +goose Down

ALTER FUNCTION try_delete_job RESET enable_seqscan;
ALTER FUNCTION try_retry_job RESET enable_seqscan;
ALTER FUNCTION try_cancel_job RESET enable_seqscan;
