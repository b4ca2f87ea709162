//go:build browser

package browser

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/draw"
	"image/png"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	whop "github.com/whopnotify/whopnotify/wrapper"
)

const (
	key      = "local-test-key"
	patience = 30 * time.Second
)

// standIn is whop-notify serve, or relay, in a process of its own.
type standIn struct {
	t   *testing.T
	url string // of the page
	*whop.Client
}

func serve(t *testing.T, args ...string) *standIn {
	t.Helper()
	return start(t, nil, append([]string{"serve", "--api-key", key}, args...)...)
}

// start runs whop-notify, and makes a client of what it listens as.
func start(t *testing.T, env []string, args ...string) *standIn {
	t.Helper()
	binary := os.Getenv("WHOP_NOTIFY") // as make browser builds it
	require.NotEmpty(t, binary, "run make browser")
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, binary, append(args, "--addr", "127.0.0.1:0")...)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait()
	})
	first, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	base := strings.TrimSpace(strings.TrimPrefix(first, "listening on "))
	transport := &http.Transport{MaxIdleConnsPerHost: 16}
	t.Cleanup(transport.CloseIdleConnections)
	client, err := whop.NewClient(whop.WithBaseURL(base), whop.WithAPIKey(key), whop.WithLimiter(nil),
		whop.WithHTTPClient(&http.Client{Transport: transport}))
	require.NoError(t, err)
	return &standIn{t, strings.TrimSuffix(base, "api/v1"), client}
}

func (s *standIn) send(n whop.Notification) {
	s.t.Helper()
	_, err := s.Send(s.t.Context(), n)
	require.NoError(s.t, err)
}

// page is a tab of a browser of its own, which ends with the test. What its script throws,
// or its policy refuses, fails the test.
type page struct {
	t   *testing.T
	ctx context.Context
}

type size struct{ width, height int64 }

var (
	wide   = size{1280, 800}
	narrow = size{390, 844}
)

func open(t *testing.T, url string, s size, scheme string, first ...chromedp.Action[chromedp.Void]) *page {
	t.Helper()
	browser := os.Getenv("CHROMIUM")
	require.NotEmpty(t, browser, "run make browser")
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(browser), chromedp.NoSandbox,
		chromedp.Env("TZ=UTC", "LANG=en_GB.UTF-8"))
	ctx, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop) // waits until the processes of the browser have ended
	ctx, end := chromedp.NewContext(ctx)
	t.Cleanup(end)
	p := &page{t, ctx}
	require.NoError(t, chromedp.Do(ctx)) // starts it, for as long as ctx
	complaints := make(chan string, 100)
	require.NoError(t, chromedp.Listen(ctx, func(event any) {
		said := ""
		switch e := event.(type) {
		case *runtime.EventExceptionThrown:
			said = e.ExceptionDetails.Text + " " + e.ExceptionDetails.Exception.Description
		case *runtime.EventConsoleAPICalled:
			said = "console." + string(e.Type)
		case *log.EventEntryAdded:
			if e.Entry.Source == log.EntrySourceSecurity || e.Entry.Source == log.EntrySourceViolation {
				said = e.Entry.Text
			}
		}
		if said != "" {
			select {
			case complaints <- said:
			default:
			}
		}
	}))
	t.Cleanup(func() {
		select {
		case said := <-complaints:
			t.Error("the page complains: " + said)
		default:
		}
	})
	media := chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
		}})
		return err
	})
	p.do(append(first, chromedp.EmulateViewport(s.width, s.height), media, chromedp.Navigate(url))...)
	p.await(`document.querySelector('#live').textContent === 'Live'`)
	return p
}

func (p *page) do(actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	require.NoError(p.t, chromedp.Do(ctx, actions...))
}

// await waits until an expression is true on the page.
func (p *page) await(expression string) {
	p.t.Helper()
	for until := time.Now().Add(patience); !eval[bool](p, "!!("+expression+")"); {
		if time.Now().After(until) {
			require.FailNow(p.t, "the page never had "+expression, eval[string](p, `document.body.innerText`))
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func eval[T any](p *page, expression string) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	require.NoError(p.t, err, expression)
	return value
}

// awaitCards waits until the list has these titles, from the top.
func (p *page) awaitCards(titles ...string) {
	p.t.Helper()
	quoted, err := json.Marshal(titles)
	require.NoError(p.t, err)
	p.await(`JSON.stringify([...document.querySelectorAll('#list .card .title')].map(c => c.textContent)) === JSON.stringify(` + string(quoted) + `)`)
}

func (p *page) click(selector string) { p.t.Helper(); p.do(chromedp.Click(chromedp.CSS(selector))) }
func (p *page) press(keys string)     { p.t.Helper(); p.do(chromedp.KeyEvent(keys)) }

// slash presses the key alone: what chromedp types comes as text even where the page takes
// the key for itself.
func (p *page) slash() {
	p.t.Helper()
	p.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, input.DispatchKeyEvent, input.DispatchKeyEventParams{
			Type: input.DispatchKeyEventTypeRawKeyDown, Key: "/", Code: "Slash", WindowsVirtualKeyCode: 191,
		})
		return err
	}))
}

// choose puts a value into a field, as typing or picking one does.
func (p *page) choose(selector, value string) {
	p.t.Helper()
	eval[bool](p, fmt.Sprintf(`(f => { f.value = %q; return f.dispatchEvent(new Event('input')); })(document.querySelector(%q))`, value, selector))
}

func (p *page) shot(name string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	shot, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	require.NoError(p.t, err)
	picture, err := png.Decode(bytes.NewReader(shot))
	require.NoError(p.t, err)
	var small bytes.Buffer
	require.NoError(p.t, (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&small, coarse(picture)))
	dir := os.Getenv("SCREENSHOTS")
	require.NoError(p.t, os.MkdirAll(dir, 0o755))
	require.NoError(p.t, os.WriteFile(filepath.Join(dir, name+".png"), small.Bytes(), 0o644))
}

// coarse has 32 steps of each colour, which halves a picture with gradients.
func coarse(picture image.Image) image.Image {
	c := image.NewNRGBA(picture.Bounds())
	draw.Draw(c, c.Bounds(), picture, c.Bounds().Min, draw.Src)
	for i, v := range c.Pix {
		c.Pix[i] = uint8((int(v)*31 + 127) / 255 * 255 / 31)
	}
	return c
}
