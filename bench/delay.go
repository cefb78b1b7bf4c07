package main

import (
	"context"
	"errors"
	"io"
	"net"
	"time"
)

// delay is how long every byte is on its way in each direction where a network
// is simulated. Go's runtime may wait for whole milliseconds where nothing else
// happens, so that the way takes up to a good one.
const delay = 500 * time.Microsecond

// distant listens for connections and passes them on to the server, each byte
// after the delay.
func distant(server string) (addr string, close func() error, err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	go func() {
		for {
			front, err := listener.Accept()
			if err != nil {
				return // closed
			}
			back, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", server)
			if err != nil {
				shut(front)
				continue
			}
			go late(front, back)
			go late(back, front)
		}
	}()
	return listener.Addr().String(), listener.Close, nil
}

// shut ends a connection that either side may have ended.
func shut(conn net.Conn) {
	_ = conn.Close() //nolint:errcheck // see above
}

// piece is what was read at once, and when it arrives.
type piece struct {
	data []byte
	due  time.Time
}

// late passes on what comes from one side, until that ends.
func late(from, to net.Conn) {
	pieces := make(chan piece, 1024)
	go func() {
		defer close(pieces)
		for {
			buffer := make([]byte, 64<<10)
			n, err := from.Read(buffer)
			if n > 0 {
				pieces <- piece{buffer[:n], time.Now().Add(delay)}
			}
			if err != nil {
				if !errors.Is(err, io.EOF) {
					shut(from)
				}
				return
			}
		}
	}()
	defer shut(to)
	for p := range pieces {
		time.Sleep(time.Until(p.due))
		if _, err := to.Write(p.data); err != nil {
			shut(from)
			for range pieces { // until the reader has noticed
			}
			return
		}
	}
}
