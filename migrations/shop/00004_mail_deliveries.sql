-- +goose Up

-- SMTP cannot say what became of a mail if the line breaks after its last dot. So
-- a mail is on record before it is sent; one that is found sending may be sent a
-- second time, with the same Message-ID.
CREATE TABLE mail_deliveries (
  key        text        NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  sent_at    timestamptz,
  refused_at timestamptz,
  attempts   integer     NOT NULL DEFAULT 1,
  kind       text        NOT NULL,
  recipient  text        NOT NULL,
  state      text        NOT NULL DEFAULT 'sending',
  refusal    text,

  CONSTRAINT mail_deliveries_pkey PRIMARY KEY (key),
  CONSTRAINT mail_deliveries_key CHECK (key COLLATE "C" ~ '^[a-z0-9][a-z0-9.-]{0,99}$'),
  CONSTRAINT mail_deliveries_attempts CHECK (attempts >= 1),
  CONSTRAINT mail_deliveries_kind CHECK (kind COLLATE "C" ~ '^[a-z][a-z_]{0,49}$'),
  CONSTRAINT mail_deliveries_recipient CHECK (
    octet_length(recipient) BETWEEN 3 AND 320 AND recipient LIKE '%_@_%'),
  CONSTRAINT mail_deliveries_state CHECK (state IN ('sending', 'sent', 'refused')),
  CONSTRAINT mail_deliveries_sent CHECK ((state = 'sent') = (sent_at IS NOT NULL)),
  CONSTRAINT mail_deliveries_refused CHECK (
    num_nonnulls(refused_at, refusal) = CASE state WHEN 'refused' THEN 2 ELSE 0 END),
  CONSTRAINT mail_deliveries_refusal CHECK (char_length(refusal) BETWEEN 1 AND 1000)
);

COMMENT ON TABLE mail_deliveries IS
  'Mails, each on record before it is first sent. A sent one is not sent again; one found sending may have been.';
COMMENT ON COLUMN mail_deliveries.key IS
  'What the mail is about, such as order-42-confirmation; its Message-ID is made of it.';
COMMENT ON COLUMN mail_deliveries.created_at IS 'When it was put on record, which is the mail''s Date.';
COMMENT ON COLUMN mail_deliveries.sent_at IS 'When the mail server had taken it, together with the end of the job.';
COMMENT ON COLUMN mail_deliveries.refused_at IS 'When the mail server refused it for good.';
COMMENT ON COLUMN mail_deliveries.attempts IS 'How often it was about to be sent.';
COMMENT ON COLUMN mail_deliveries.kind IS 'confirmation or export_ready.';
COMMENT ON COLUMN mail_deliveries.recipient IS 'Address that it goes to.';
COMMENT ON COLUMN mail_deliveries.state IS
  'sending: about to be sent, perhaps sent. sent: taken by the mail server. refused: a permanent no.';
COMMENT ON COLUMN mail_deliveries.refusal IS 'The mail server''s reply to a refused mail.';
COMMENT ON INDEX mail_deliveries_pkey IS 'One row for each mail.';

-- +goose Down

-- +goose StatementBegin
DO $$
BEGIN
  IF EXISTS (SELECT FROM mail_deliveries) THEN
    RAISE EXCEPTION 'mail_deliveries has rows: delete them first if they may be lost';
  END IF;
END
$$;
-- +goose StatementEnd

DROP TABLE mail_deliveries;
