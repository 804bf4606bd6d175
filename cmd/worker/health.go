// Here: health, served and asked for.

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/rowlock/rowlock/internal/cli"
	"github.com/rowlock/rowlock/queue"
)

// defaultHealthAddr is one that only this machine reaches.
const defaultHealthAddr = "127.0.0.1:9090"

// serveHealth serves w's health at addr, unless that is off, until stop is called.
func serveHealth(
	ctx context.Context, addr string, w *queue.Worker, log *slog.Logger,
) (stop func(), err error) {
	if addr == "off" {
		return func() {}, nil
	}
	l, err := listenForHealth(ctx, addr)
	if err != nil {
		return nil, err
	}
	server := healthServer(w, log)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			log.Error("health is served no longer", "error", err)
		}
	}()
	log.Info("health is served", "addr", l.Addr().String())
	return func() {
		_ = server.Close()
		<-ended
	}, nil
}

// listenForHealth takes the address that health is served at.
func listenForHealth(ctx context.Context, addr string) (net.Listener, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("the address %s is taken: stop what listens there, or give "+
			`another by --health-addr (HEALTH_ADDR), or "off"`, addr)
	case err != nil:
		return nil, cli.Usagef(`--health-addr (HEALTH_ADDR): %w; give one such as %s, or "off"`,
			err, defaultHealthAddr)
	}
	return l, nil
}

// healthServer answers for w.
func healthServer(w *queue.Worker, log *slog.Logger) *http.Server {
	answer := func(rw http.ResponseWriter, err error) {
		if err != nil {
			http.Error(rw, err.Error(), http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(rw, "ok\n")
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(rw http.ResponseWriter, _ *http.Request) {
		live, _ := w.Health()
		answer(rw, live)
	})
	mux.HandleFunc("GET /readyz", func(rw http.ResponseWriter, _ *http.Request) {
		_, ready := w.Health()
		answer(rw, ready)
	})
	return &http.Server{
		Handler:     mux,
		ReadTimeout: 5 * time.Second, WriteTimeout: 5 * time.Second, IdleTimeout: time.Minute,
		MaxHeaderBytes: 8 << 10,
		ErrorLog:       slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
}

func newHealth() *cobra.Command {
	var addr string
	cmd := &cobra.Command{
		Use:   "health",
		Short: "Asks a worker on this machine whether it lives",
		Long: `Health asks a running worker for /livez and exits with 0 if it answers that its loops
turn, and with 1 if not. It is for a container's HEALTHCHECK, where no curl is.`,
		Example: "  worker health --addr 127.0.0.1:9090",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return askHealth(cmd.Context(), addr)
		},
	}
	cmd.Flags().StringVar(&addr, "addr", defaultHealthAddr, "the worker's --health-addr")
	return cmd
}

func askHealth(ctx context.Context, addr string) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return cli.Usagef("--addr (HEALTH_ADDR): %w; give one such as %s", err, defaultHealthAddr)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1" // one to listen at is none to call
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	url := "http://" + net.JoinHostPort(host, port) + "/livez"
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return cli.Usagef("--addr (HEALTH_ADDR): %w", err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("no worker answers: %w; is its --health-addr another one?", err)
	}
	defer response.Body.Close()
	reason, err := io.ReadAll(io.LimitReader(response.Body, 1000))
	if err != nil {
		return fmt.Errorf("read the worker's answer: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("the worker is not well: %s", strings.TrimSpace(string(reason)))
	}
	return nil
}
