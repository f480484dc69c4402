package ingest

import (
	"context"
	"errors"
	"fmt"
	stdlog "log"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/rs/zerolog"
)

// shutdownGrace is how long requests under way may take once Serve is to end.
const shutdownGrace = 10 * time.Second

// Server is a listening HTTP server.
type Server struct {
	listener net.Listener
	server   *http.Server
}

// Listen binds "host:port" and returns before anything is served. Without a
// host it is 127.0.0.1, never all addresses; port 0 picks a free one. What
// net/http has to say goes to log.
func Listen(address string, handler http.Handler, log zerolog.Logger) (*Server, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("listen on %q: %w", address, err)
	}
	if host == "" {
		host = "127.0.0.1"
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(host, port))
	if err != nil {
		return nil, fmt.Errorf("listen on %q: %w", address, err)
	}
	return &Server{listener, &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      60 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          stdlog.New(log, "", 0),
	}}, nil
}

// Addr is the address that is bound.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// URL is where this machine reaches the server, as in "http://127.0.0.1:8080";
// of all addresses (Go binds both families then), the loopback's.
func (s *Server) URL() string {
	address := s.Addr().String()
	if tcp, ok := s.Addr().(*net.TCPAddr); ok && tcp.IP.IsUnspecified() {
		address = net.JoinHostPort("127.0.0.1", strconv.Itoa(tcp.Port))
	}
	return "http://" + address
}

// Serve serves until ctx is done, lets requests under way end within ten
// seconds, and closes the listener. nil if it ended because of ctx and nothing
// was cut off. Call it once.
func (s *Server) Serve(ctx context.Context) error {
	failed := make(chan error, 1)
	go func() { failed <- s.server.Serve(s.listener) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve %s: %w", s.Addr(), err)
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownGrace)
	defer cancel()
	if err := s.server.Shutdown(grace); err != nil {
		return fmt.Errorf("shut down %s: %w", s.Addr(), errors.Join(err, s.server.Close()))
	}
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve %s: %w", s.Addr(), err)
	}
	return nil
}

// Close closes a Server that is not going to be served.
func (s *Server) Close() error { return s.listener.Close() }
