// Here: logs, by slog.

package main

import (
	"io"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/rowlock/rowlock/internal/cli"
)

type logOptions struct{ format, level string }

func (o *logOptions) flags(cmd *cobra.Command, level string) {
	cmd.Flags().StringVar(&o.format, "log-format", "text", "`form` of the log: text or json")
	cmd.Flags().StringVar(&o.level, "log-level", level, "log from this `level` on")
}

// logger returns a logger that writes to w.
func (o *logOptions) logger(w io.Writer) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(o.level)); err != nil {
		return nil, cli.Usagef("--log-level is %q, not debug, info, warn or error", o.level)
	}
	options := &slog.HandlerOptions{Level: level}
	switch o.format {
	case "text":
		return slog.New(slog.NewTextHandler(w, options)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, options)), nil
	}
	return nil, cli.Usagef("--log-format is %q, neither text nor json", o.format)
}
