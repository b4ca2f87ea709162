//go:build browser

package browser

import (
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	whop "github.com/whopnotify/whopnotify/wrapper"
)

// story sends what a small app would, through a few faults.
func (s *standIn) story() {
	s.t.Helper()
	s.send(whop.ToExperience("exp_coaching", whop.Message{Title: "Your week in numbers", Content: "3 workouts, 12 km, and a new best over 5 km."}).OnlyUsers("user_ana", "user_ben", "user_chloe"))
	s.send(whop.ToCompany("biz_studio", whop.Message{Title: "Doors open", Subtitle: "Studio", Content: "The new schedule is out. Book before Friday.", RestPath: "/schedule"}))
	s.script(`[{"status": 503}, {"reset": true, "after_queueing": true}]`)
	s.send(whop.ToExperience("exp_classes", whop.Message{Title: "Class at six", Subtitle: "Yoga with Maria", Content: "Room 2 instead of room 4. Bring your own mat.", RestPath: "/classes/6", IconUserID: "user_maria"}).OnlyUsers("user_ana", "user_ben").WithIdempotencyKey("class-6-room"))
	s.script(`[{"status": 422, "message": "Verify your company to send notifications."}]`)
	_, err := s.Send(s.t.Context(), whop.ToCompany("biz_other", whop.Message{Title: "Welcome", Content: "Glad that you are here."}))
	require.Error(s.t, err)
	s.send(whop.ToCompany("biz_studio", whop.Message{Title: "Invoice 7 is paid", Content: "€ 240.00 from Ana Costa"}).OnlyUsers("user_owner").WithIdempotencyKey("invoice-7"))
}

func (s *standIn) script(body string) {
	s.t.Helper()
	resp, err := (&http.Client{Timeout: patience}).Post(s.url+"_/script", "application/json", strings.NewReader(body))
	require.NoError(s.t, err)
	require.NoError(s.t, resp.Body.Close())
	require.Equal(s.t, 200, resp.StatusCode)
}

// The screenshots are for eyes, and inbox.png for the command's README. What is on them can be
// read: the contrast of all text is measured.
func TestScreenshots(t *testing.T) {
	s := serve(t)
	s.story()
	for _, test := range []struct {
		name, scheme string
		size         size
	}{
		{"light", "light", wide},
		{"dark", "dark", wide},
		{"narrow", "light", narrow},
		{"narrow-dark", "dark", narrow},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := open(t, s.url, test.size, test.scheme)
			p.await(`document.querySelectorAll('#list .card').length === 5`)
			p.shot(test.name + "-list")
			p.legible()
			p.click(".card:nth-child(3)")
			p.await(`document.querySelector('#shown').innerText.includes('class-6-room')`)
			p.shot(test.name)
			p.legible()
			if test.name == "light" {
				p.do(chromedp.EmulateViewport(1120, 760))
				p.shot("inbox") // kept beside the command's README
			}
			require.Zero(t, eval[int](p, `document.documentElement.scrollWidth - innerWidth`), "wider than the window")
		})
	}
	p := open(t, serve(t).url, wide, "light")
	p.shot("empty")
	p.legible()
}

// legible fails where text has less than the contrast of WCAG's level AA. Over a gradient,
// each of its colours counts.
func (p *page) legible() {
	p.t.Helper()
	seen := eval[int](p, `window.measured = 0, window.faint = (() => {
		const read = text => { const [r, g, b, a = 1] = text.match(/[\d.]+/g).map(Number); return [r, g, b, a]; };
		const over = ([r, g, b, a], [x, y, z]) => [r * a + x * (1 - a), g * a + y * (1 - a), b * a + z * (1 - a)];
		const light = c => c.slice(0, 3).map(v => v / 255).map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4).reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
		const ratio = (a, b) => { const [x, y] = [light(a), light(b)].sort((m, n) => n - m); return (x + .05) / (y + .05); };
		const grounds = e => {
			if (!e) return [[255, 255, 255]];
			const s = getComputedStyle(e), c = read(s.backgroundColor);
			if (s.backgroundImage.includes('gradient')) return s.backgroundImage.match(/rgba?\([^)]*\)/g).map(read).filter(c => c[3] === 1);
			return c[3] === 1 ? [c] : grounds(e.parentElement).map(g => over(c, g));
		};
		const faint = [];
		const check = (e, color, text) => {
			measured++;
			for (const g of grounds(e)) if (ratio(over(read(color), g), g) < 4.5)
				return faint.push(e.tagName + '.' + e.className + ' ' + text.trim().slice(0, 40) + ': ' + ratio(over(read(color), g), g).toFixed(2));
		};
		for (const e of document.body.querySelectorAll('*')) {
			if (!e.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
			const text = [...e.childNodes].filter(n => n.nodeType === 3).map(n => n.data).join('');
			if (text.trim() && e.tagName !== 'SCRIPT') check(e, getComputedStyle(e).color, text);
			if (e.placeholder) check(e, getComputedStyle(e, '::placeholder').color, e.placeholder);
		}
		return faint;
	})(), measured`)
	require.Greater(p.t, seen, 15, "texts measured")
	require.Empty(p.t, eval[[]string](p, `faint`), "contrast under 4.5")
}
