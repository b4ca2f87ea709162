//go:build browser

package browser

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	whop "github.com/whopnotify/whopnotify/wrapper"
)

// What the client sends shows up by itself, newest first, and can be filtered and cleared.
func TestArrivesLive(t *testing.T) {
	s := serve(t)
	p := open(t, s.url, wide, "light")
	p.await(`document.querySelector('#empty').innerText.includes('Nothing yet')`)
	newest := []string{}
	for i := range 10 {
		title := fmt.Sprintf("Notification %d", i)
		n := whop.ToCompany("biz_studio", whop.Message{Title: title, Content: "Apples"})
		if i%2 == 1 {
			n = whop.ToExperience("exp_classes", whop.Message{Title: title, Content: "Pears"}).OnlyUsers("user_ana", fmt.Sprintf("user_%d", i))
		}
		s.send(n)
		newest = append([]string{title}, newest...)
	}
	p.awaitCards(newest...)
	assert.Contains(t, eval[string](p, `document.querySelector('.card:nth-child(1)').innerText`), "2 users")
	assert.Contains(t, eval[string](p, `document.querySelector('.card:nth-child(2)').innerText`), "Everybody")
	s.script(`[{"status": 422, "message": "Verify your company first."}]`)
	_, err := s.Send(t.Context(), whop.ToCompany("biz_other", whop.Message{Title: "Welcome", Content: "Hello"}))
	require.Error(t, err)
	p.awaitCards(append([]string{"Welcome"}, newest...)...)

	for _, test := range []struct {
		filter, value string
		want          []string
	}{
		{"#f-target", "biz_other", []string{"Welcome"}},
		{"#f-user", "user_7", []string{"Notification 7"}},
		{"#f-text", "PEARS", []string{"Notification 9", "Notification 7", "Notification 5", "Notification 3", "Notification 1"}},
		{"#f-text", "verify your company", []string{"Welcome"}},
		{"#f-outcome", "refused", []string{"Welcome"}},
		{"#f-outcome", "queued", newest},
	} {
		p.choose(test.filter, test.value)
		p.awaitCards(test.want...)
		p.choose(test.filter, "")
		p.awaitCards(append([]string{"Welcome"}, newest...)...)
	}

	p.click("#clear")
	p.click("#yes")
	p.await(`document.querySelector('#empty').innerText.includes('Nothing yet')`)
}

func TestKeyboard(t *testing.T) {
	s := serve(t)
	for _, title := range []string{"First", "Second", "Third"} {
		s.send(whop.ToCompany("biz_studio", whop.Message{Title: title, Content: "Hello"}))
	}
	const chosen = `document.querySelector('.card[aria-selected=true] .title').textContent`
	for _, test := range []struct {
		name string
		size size
	}{{"wide", wide}, {"narrow", narrow}} {
		t.Run(test.name, func(t *testing.T) {
			p := open(t, s.url, test.size, "light")
			p.awaitCards("Third", "Second", "First")
			p.slash()
			p.press("second")
			p.awaitCards("Second")
			p.press(kb.Escape)
			p.awaitCards("Third", "Second", "First")
			eval[bool](p, `document.querySelector('#list').focus(), true`)
			p.press(kb.End)
			p.await(chosen + ` === 'First'`)
			p.press(kb.ArrowUp)
			p.await(chosen + ` === 'Second'`)
			p.press(kb.Enter)
			p.await(`document.activeElement.id === 'detail' && document.querySelector('#shown dl').innerText.includes('Second')`)
			p.press(kb.Escape)
			p.await(`document.activeElement.id === 'list' && document.activeElement.checkVisibility()`)
		})
	}
}

// The buttons make the next requests fail, and the time line shows the retries.
func TestFaultsByHand(t *testing.T) {
	for _, test := range []struct {
		name    string
		buttons []string
		told    []string // by the time line, in order
		verdict string
		failed  bool // the send
	}{
		{name: "status", buttons: []string{"#fail"}, told: []string{"Refused: 503", "Queued: 200"}, verdict: "Queued."},
		{name: "429", buttons: []string{"#limit"}, told: []string{"Refused: 429", "Queued: 200"}, verdict: "Queued."},
		{name: "lost answer", buttons: []string{"[data-reply*=after_queueing]"}, told: []string{"Queued, but the answer was lost", "Replayed: 200"}, verdict: "Queued."},
		{name: "broken connection", buttons: []string{`[data-reply='{"reset": true}']`}, told: []string{"No answer", "Queued: 200"}, verdict: "Queued."},
		{name: "stall", buttons: []string{"#stall"}, told: []string{"Queued: 200"}, verdict: "Queued."},
		{name: "answer, do not queue", buttons: []string{`[data-reply='{"success": false}']`}, told: []string{"Answered, not queued: 200"}, verdict: "Not queued.", failed: true},
		{name: "one passes between", buttons: []string{"#fail", `[data-reply='{"success": true}']`, "#fail"}, told: []string{"Refused: 503", "Queued: 200"}, verdict: "Queued."},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := serve(t)
			p := open(t, s.url, wide, "light")
			p.choose("#wait", "1")
			p.choose("#late", "0.5")
			for i, button := range test.buttons {
				p.click(button)
				p.await(fmt.Sprintf(`document.querySelectorAll('#waiting .chip').length === %d`, i+1))
			}
			start := time.Now()
			_, err := s.Send(t.Context(), whop.ToCompany("biz_studio", whop.Message{Title: "Paid", Content: "Invoice 7"}))
			require.Equal(t, test.failed, err != nil, err)
			if test.name == "stall" {
				require.GreaterOrEqual(t, time.Since(start), 500*time.Millisecond)
			}
			p.await(fmt.Sprintf(`document.querySelectorAll('.line > li').length === %d && document.querySelector('.verdict').innerText.startsWith(%q)`, len(test.told), test.verdict))
			told := eval[[]string](p, `[...document.querySelectorAll('.line b')].map(b => b.textContent)`)
			assert.Equal(t, test.told, told)
			if len(told) > 1 {
				assert.Contains(t, eval[string](p, `document.querySelector('.card').innerText`), "2 attempts")
			}
			if len(test.buttons) > 1 { // the last waits for the next
				p.await(`document.querySelectorAll('#waiting .chip').length === 1`)
				s.send(whop.ToCompany("biz_studio", whop.Message{Title: "Paid", Content: "Invoice 8"}))
			}
			p.await(`document.querySelector('#waiting').hidden`)

			p.click(".line summary")
			p.await(`document.querySelector('pre.wire')`)
			wire := eval[string](p, `document.querySelector('pre.wire').textContent`)
			assert.Contains(t, wire, "POST /api/v1/notifications")
			assert.Contains(t, wire, "Authorization: Bearer ********")
			assert.NotContains(t, wire, key)
		})
	}
}

// The page of a relay is for who has its key, and changes nothing.
func TestRelay(t *testing.T) {
	server := serve(t)
	dir := t.TempDir()
	const relayKey, pageKey = "a-key-of-the-relay's-own", "a-key-of-the-page's-own"
	for name, key := range map[string]string{"relay": relayKey, "page": pageKey} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(key), 0o600))
	}
	relay := start(t, []string{"WHOP_API_KEY=" + key, "WHOP_BASE_URL=" + server.url + "api/v1"},
		"relay", "--state", filepath.Join(dir, "state"), "--relay-key-file", filepath.Join(dir, "relay"), "--inbox-key-file", filepath.Join(dir, "page"))
	client, err := whop.NewClient(whop.WithBaseURL(relay.url+"api/v1"), whop.WithAPIKey(relayKey))
	require.NoError(t, err)

	// A browser keeps the password that it was given for any page of the relay.
	withKey := strings.Replace(relay.url, "://", "://anybody:"+url.PathEscape(pageKey)+"@", 1)
	p := open(t, relay.url, wide, "light", chromedp.Navigate(withKey+"_/requests"))
	for _, control := range []string{"#faults", "#clear"} {
		assert.False(t, eval[bool](p, `document.querySelector('`+control+`').checkVisibility()`), control)
	}
	_, err = client.Send(t.Context(), whop.ToCompany("biz_studio", whop.Message{Title: "<i>Paid</i>", Content: "Invoice 7"}))
	require.NoError(t, err)
	p.awaitCards("<i>Paid</i>")
	p.click(".card")
	p.click(".line summary")
	p.await(`document.querySelector('pre.wire')`)
	wire := eval[string](p, `document.querySelector('pre.wire').textContent`)
	assert.Contains(t, wire, "Authorization: ********")
	for _, secret := range []string{key, relayKey, pageKey} {
		assert.NotContains(t, wire, secret)
	}
}

// What a notification says is text, whatever it says, and moves nothing outside its place.
func TestHostileTexts(t *testing.T) {
	s := serve(t)
	p := open(t, s.url, narrow, "light")
	elements := `document.querySelectorAll('script, img, iframe, a, form').length`
	before := eval[int](p, elements)
	for _, test := range []struct{ name, text string }{
		{"script", `<script>window.hacked = 1</script>`},
		{"image", `"><img src=x onerror="window.hacked = 1">`},
		{"template", "${window.hacked = 1}{{1+1}}&lt;b&gt;"},
		{"right to left", "שלום, הטיפול שלך ב־18:00"},
		{"emoji", "👩‍👩‍👧‍👦 🏳️‍🌈 👍🏽 🇵🇹"},
		{"one long word", strings.Repeat("W", 3000)},
		{"stacked marks", "Z" + strings.Repeat("\u0301", 300)},
	} {
		t.Run(test.name, func(t *testing.T) {
			s.send(whop.ToCompany("biz_studio", whop.Message{Title: "about " + test.name, Subtitle: test.text, Content: test.text}))
			p.await(`document.querySelector('.card .title')?.textContent === 'about ` + test.name + `'`)
			shown := eval[string](p, `document.querySelector('.card .content').textContent`)
			assert.Equal(t, test.text[:min(50, len(test.text))], shown[:min(50, len(shown))])
			p.click(".card")
			p.await(`document.querySelector('dl').checkVisibility()`)
			assert.Equal(t, before, eval[int](p, elements), "an element was made of text")
			assert.False(t, eval[bool](p, `'hacked' in window`))
			assert.Zero(t, eval[int](p, `document.documentElement.scrollWidth - innerWidth`), "wider than the window")
			if test.name == "right to left" {
				p.shot("hostile")
			}
			p.click("#back")
		})
	}
}

// While thousands arrive, the page can be used, and holds no more than it shows.
func TestTenThousand(t *testing.T) {
	const all = 10000
	s := serve(t)
	p := open(t, s.url, wide, "light")
	eval[bool](p, `window.longest = 0, window.last = performance.now(), setInterval(() => {
		longest = Math.max(longest, performance.now() - last); last = performance.now(); }, 10), true`)
	sent := make(chan error, 1)
	go func() {
		for i := range all {
			if _, err := s.Send(t.Context(), whop.ToCompany("biz_studio", whop.Message{Title: fmt.Sprint("Number ", i), Content: "Hello"})); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	used := 0
	for running := true; running; {
		select {
		case err := <-sent:
			require.NoError(t, err)
			running = false
		default:
			p.choose("#f-text", "number")
			p.await(`document.querySelector('.card')`)
			p.slash()
			p.await(`document.activeElement.id === 'f-text'`)
			eval[bool](p, `document.activeElement.blur(), true`)
			require.LessOrEqual(t, eval[int](p, `document.querySelectorAll('.card').length`), 100)
			used++
		}
	}
	p.await(`document.querySelector('.card .title').textContent === 'Number 9999'`)
	p.await(`document.querySelector('#counts').textContent.startsWith('1,000 notifications, 1,000 requests')`)
	t.Logf("used %d times meanwhile; longest time that the page was busy: %.0f ms", used, eval[float64](p, `longest`))
	require.Greater(t, used, 10)
}
