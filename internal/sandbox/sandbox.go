package sandbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"syscall"
	"time"
)

// grace is how long calls and messages under way may take to end at a stop.
const grace = 2 * time.Second

// Options change a sandbox. The zero value is ready.
type Options struct {
	GatewayPort int // on 127.0.0.1; 0 takes a free one
	SMTPPort    int // on 127.0.0.1; 0 takes a free one

	// Hang is how long a call with TokenHang hangs unless the client goes away
	// before; 0 means 3 s.
	Hang time.Duration
	// Slow is how long a call with TokenSlow takes; 0 means 2 s.
	Slow time.Duration

	// Logger hears of what is odd; nil means nobody does.
	Logger *slog.Logger
}

// A Sandbox is a running payment gateway and mail server.
type Sandbox struct {
	GatewayURL string // such as http://127.0.0.1:38041
	SMTPURL    string // such as smtp://127.0.0.1:40623

	opts      Options
	files     *folder
	web, post *connections

	stop context.CancelFunc
	done chan struct{} // closed when all has ended
	err  error         // why, if not by the caller's wish
}

// Start starts a sandbox that remembers in the folder dir, which exists. It
// serves until ctx ends or Close is called; Close and Wait return when it has
// let go of dir.
func Start(ctx context.Context, dir string, opts Options) (*Sandbox, error) {
	if opts.Hang == 0 {
		opts.Hang = 3 * time.Second
	}
	if opts.Slow == 0 {
		opts.Slow = 2 * time.Second
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}

	files, err := openFolder(ctx, dir, opts.Logger)
	if err != nil {
		return nil, err
	}
	web, err := listen(ctx, "payment gateway", opts.GatewayPort)
	if err != nil {
		return nil, errors.Join(err, files.close())
	}
	post, err := listen(ctx, "mail server", opts.SMTPPort)
	if err != nil {
		return nil, errors.Join(err, web.Close(), files.close())
	}

	ctx, stop := context.WithCancel(ctx)
	s := &Sandbox{
		GatewayURL: "http://" + web.Addr().String(),
		SMTPURL:    "smtp://" + post.Addr().String(),
		opts:       opts, files: files, web: web, post: post,
		stop: stop, done: make(chan struct{}),
	}
	go func() {
		defer close(s.done)
		defer stop()
		s.err = errors.Join(s.serve(ctx), files.close())
	}()
	return s, nil
}

// Wait returns when the sandbox has stopped: nil if by Close or because its
// context ended.
func (s *Sandbox) Wait() error {
	<-s.done
	return s.err
}

// Close stops the sandbox: calls and messages under way get two seconds to end.
// It may be called again.
func (s *Sandbox) Close() error {
	s.stop()
	return s.Wait()
}

// serve runs both servers until ctx ends or one of them breaks, and returns when
// both have ended.
func (s *Sandbox) serve(ctx context.Context) (err error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	gateway := &gateway{
		book: s.files.book, hang: s.opts.Hang, slow: s.opts.Slow, log: s.opts.Logger,
	}
	pay, mail := gateway.server(ctx), s.files.mail.server()

	ended := make(chan error, 2)
	go func() { ended <- fmt.Errorf("payment gateway: %w", pay.Serve(s.web)) }()
	go func() { ended <- fmt.Errorf("mail server: %w", mail.Serve(s.post)) }()

	running := 2
	select {
	case <-ctx.Done():
	case err = <-ended:
		running--
	}
	stop() // for the calls that wait

	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	if pay.Shutdown(limit) != nil {
		_ = pay.Close() // the clients have had their time
	}
	s.web.drain(limit)
	s.post.drain(limit)
	for range running {
		<-ended
	}
	return err
}

// listen listens on port for the server called name.
func listen(ctx context.Context, name string, port int) (*connections, error) {
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	l, err := new(net.ListenConfig).Listen(ctx, "tcp4", addr)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("%s: port %d is taken: stop what listens there, "+
			"or choose another port; 0 takes a free one (%w)", name, port, err)
	case err != nil:
		return nil, fmt.Errorf("%s: choose a port that you may listen on; 0 takes a free one: %w",
			name, err)
	}
	return newConnections(l), nil
}
