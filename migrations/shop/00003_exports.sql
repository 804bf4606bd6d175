-- +goose Up

CREATE TABLE exports (
  id            bigint      NOT NULL GENERATED ALWAYS AS IDENTITY,
  requested_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
  begun_at      timestamptz,
  completed_at  timestamptz,
  rows          bigint,
  bytes         bigint,
  progress      bigint      NOT NULL DEFAULT 0,
  attempt       integer     NOT NULL DEFAULT 0,
  query         text        NOT NULL,
  params        jsonb       NOT NULL DEFAULT '{}',
  mail_to       text        NOT NULL,
  status        text        NOT NULL DEFAULT 'pending',
  path          text,
  sha256        text,
  error_message text,

  CONSTRAINT exports_pkey PRIMARY KEY (id),
  CONSTRAINT exports_query CHECK (char_length(query) BETWEEN 1 AND 100),
  CONSTRAINT exports_params CHECK (jsonb_typeof(params) = 'object'),
  CONSTRAINT exports_mail_to CHECK (
    octet_length(mail_to) BETWEEN 3 AND 320 AND mail_to LIKE '%_@_%'),
  CONSTRAINT exports_status CHECK (status IN ('pending', 'processing', 'completed', 'failed')),
  CONSTRAINT exports_attempt CHECK (attempt >= 0),
  CONSTRAINT exports_pending CHECK ((status = 'pending') = (attempt = 0)),
  CONSTRAINT exports_begun CHECK ((status = 'pending') = (begun_at IS NULL)),
  CONSTRAINT exports_completed CHECK (
    num_nonnulls(completed_at, path, rows, bytes, sha256) =
      CASE status WHEN 'completed' THEN 5 ELSE 0 END),
  CONSTRAINT exports_failed CHECK ((status = 'failed') = (error_message IS NOT NULL)),
  CONSTRAINT exports_progress CHECK (progress >= 0),
  CONSTRAINT exports_rows CHECK (rows >= 0),
  CONSTRAINT exports_bytes CHECK (bytes >= 0),
  CONSTRAINT exports_path CHECK (path ~ '^[^/]+$' AND char_length(path) <= 255),
  CONSTRAINT exports_sha256 CHECK (sha256 COLLATE "C" ~ '^[0-9a-f]{64}$'),
  CONSTRAINT exports_error_message CHECK (char_length(error_message) BETWEEN 1 AND 1000)
);

COMMENT ON TABLE exports IS
  'Files that someone asked for. A completed one exists as a whole in the export folder; nothing else is promised of files there.';
COMMENT ON COLUMN exports.id IS 'Number of the export, part of its file''s name.';
COMMENT ON COLUMN exports.requested_at IS 'When it was asked for.';
COMMENT ON COLUMN exports.begun_at IS 'When its latest attempt began; NULL while it is pending.';
COMMENT ON COLUMN exports.completed_at IS 'When its file was complete and on disk.';
COMMENT ON COLUMN exports.rows IS 'Rows in the file, the header not counted.';
COMMENT ON COLUMN exports.bytes IS 'Size of the file.';
COMMENT ON COLUMN exports.progress IS 'Rows written so far by the latest attempt, brought up to date about once a second.';
COMMENT ON COLUMN exports.attempt IS
  'How often it was begun; part of the file''s name. An attempt writes here only while this is its number.';
COMMENT ON COLUMN exports.query IS 'Name of a registered query; there is no SQL here.';
COMMENT ON COLUMN exports.params IS 'The query''s parameters by name, as text.';
COMMENT ON COLUMN exports.mail_to IS 'Who is told when the file is there.';
COMMENT ON COLUMN exports.status IS
  'pending: not begun. processing: begun, or left so by a crash. failed: may begin again. completed: the file is there.';
COMMENT ON COLUMN exports.path IS 'Name of the file within the export folder.';
COMMENT ON COLUMN exports.sha256 IS 'SHA-256 of the file, in hexadecimal.';
COMMENT ON COLUMN exports.error_message IS 'Why the latest attempt failed.';
COMMENT ON INDEX exports_pkey IS 'One row for each id.';

-- +goose Down

-- +goose StatementBegin
DO $$
BEGIN
  IF EXISTS (SELECT FROM exports) THEN
    RAISE EXCEPTION 'exports has rows: delete them first if they may be lost';
  END IF;
END
$$;
-- +goose StatementEnd

DROP TABLE exports;
