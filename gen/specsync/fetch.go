package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"time"
)

// fetcher reads a source whole, or says why it cannot.
type fetcher struct {
	timeout time.Duration // to the source's last byte
	limit   int32         // bytes
}

func (f fetcher) fetch(ctx context.Context, source string) ([]byte, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, f.timeout, fmt.Errorf("not read whole within %v; try again later, or raise --timeout", f.timeout))
	defer cancel()
	var data []byte
	var err error
	if u, perr := url.Parse(source); perr == nil && (u.Scheme == "http" || u.Scheme == "https") {
		data, err = f.get(ctx, source)
	} else {
		data, err = f.open(ctx, source)
	}
	if err != nil {
		return nil, err
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, fmt.Errorf("%s: it is empty; try again later, or give another SOURCE", source)
	}
	return data, nil
}

// open reads a file. It leaves a pipe that nobody writes to when the context ends.
func (f fetcher) open(ctx context.Context, name string) ([]byte, error) {
	var data []byte
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		var file *os.File
		if file, err = os.Open(name); err != nil {
			err = fmt.Errorf("%w; give a file or an http(s) URL", err)
			return
		}
		defer file.Close()
		data, err = f.all(name, file)
	}()
	select {
	case <-done:
		return data, err
	case <-ctx.Done():
		return nil, f.explain(ctx, name, ctx.Err())
	}
}

func (f fetcher) get(ctx context.Context, address string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, f.explain(ctx, address, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: answered %s; check the address in a browser, or give another SOURCE", address, resp.Status)
	}
	data, err := f.all(address, resp.Body)
	if err != nil {
		return nil, f.explain(ctx, address, err)
	}
	return data, nil
}

// all reads one byte past the limit, to know a source that is too large from one
// that just fits.
func (f fetcher) all(source string, r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, int64(f.limit)+1))
	if err != nil {
		return nil, fmt.Errorf("%s: broke off after %d bytes: %w; try again", source, len(data), err)
	}
	if len(data) > int(f.limit) {
		return nil, fmt.Errorf("%s: larger than %d bytes; if that is right, raise --max-bytes", source, f.limit)
	}
	return data, nil
}

// explain puts the reason for the context's end in place of the transport's words for it.
func (f fetcher) explain(ctx context.Context, address string, err error) error {
	if ctx.Err() != nil {
		cause := context.Cause(ctx)
		if errors.Is(cause, context.Canceled) {
			cause = errors.New("interrupted")
		}
		return fmt.Errorf("%s: %w", address, cause)
	}
	if _, ok := errors.AsType[*url.Error](err); ok {
		return fmt.Errorf("cannot be reached: %w; check the address and the network, or give a file", err)
	}
	return err
}
