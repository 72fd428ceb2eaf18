package integration

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"lateral/integration/stack"
)

// browser is a headless Chromium with one tab. What its pages log as an error fails the test, as a
// violation of their policy does.
type browser struct {
	t      *testing.T
	ctx    context.Context
	output string // folder of the screenshots
	start  time.Time

	mu       sync.Mutex
	problems []string
}

// patience is how long a page may take for what is expected of it.
const patience = 30 * time.Second

// newBrowser starts a browser that ends with the test. Screenshots go into LATERAL_TEST_OUTPUT.
func newBrowser(t *testing.T) *browser {
	t.Helper()
	path, err := stack.Chromium(t.Context(), os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	output := os.Getenv("LATERAL_TEST_OUTPUT")
	if output == "" {
		output = t.TempDir()
	} else if err := os.MkdirAll(output, 0o755); err != nil {
		t.Fatal(err)
	}
	options := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(path), chromedp.NoFirstRun, chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.UserDataDir(t.TempDir()), chromedp.WindowSize(1360, 860),
	}
	for _, flag := range []string{"disable-quic", "disable-background-networking", "disable-component-update", "disable-sync"} {
		options = append(options, chromedp.Flag(flag, true))
	}
	allocator, end := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(end)
	ctx, cancel := chromedp.NewContext(allocator)
	// Cancel waits for the browser, which writes into its folder until it has ended.
	t.Cleanup(func() {
		defer cancel()
		if err := chromedp.Cancel(ctx); err != nil {
			t.Errorf("ending the browser: %v", err)
		}
	})
	b := &browser{t: t, ctx: ctx, output: output, start: time.Now()}
	if err := chromedp.Do(ctx); err != nil { // starts the browser, which lives as long as the context of this call
		t.Fatalf("starting the browser: %v", err)
	}
	err = chromedp.Listen(ctx, func(event any) {
		switch e := event.(type) {
		case *runtime.EventExceptionThrown:
			b.note(fmt.Sprintf("%s %+v", e.ExceptionDetails.Text, e.ExceptionDetails.Exception))
		case *log.EventEntryAdded:
			if e.Entry.Level == log.EntryLevelError {
				b.note(e.Entry.Text + " " + e.Entry.URL)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, enable := range []cdp.Command[cdp.Empty, cdp.Empty]{log.Enable, runtime.Enable} {
		if _, err := chromedp.Call(ctx, enable, cdp.Empty{}); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

func (b *browser) note(problem string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.problems = append(b.problems, problem)
}

// quiet fails the test where the pages have logged an error that holds none of the texts.
func (b *browser) quiet(expected ...string) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, problem := range b.problems {
		known := false
		for _, text := range expected {
			known = known || strings.Contains(problem, text)
		}
		if !known {
			b.t.Errorf("the browser logs: %s", problem)
		}
	}
	b.problems = nil
}

// do runs actions, in the time that a page may take.
func (b *browser) do(what string, actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		b.shot("failed")
		b.t.Fatalf("%s: %v; the browser logs %q", what, err, b.problems)
	}
}

// until waits for a condition in JavaScript.
func (b *browser) until(condition string) {
	b.t.Helper()
	b.do("waiting for "+condition, chromedp.Poll[chromedp.Void](condition, chromedp.WithPollingInterval(50*time.Millisecond), chromedp.WithPollingTimeout(patience)))
}

// text returns what an expression in JavaScript yields.
func (b *browser) text(expression string) string {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[string]("String("+expression+")"))
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return value
}

// expect fails the test unless an expression in JavaScript yields a text.
func (b *browser) expect(expression, want string) {
	b.t.Helper()
	if got := b.text(expression); got != want {
		b.t.Errorf("%s: got %q, want %q", expression, got, want)
	}
}

// size makes the window as wide and high as a device's.
func (b *browser) size(width, height int64, dark bool) {
	b.t.Helper()
	scheme := "light"
	if dark {
		scheme = "dark"
	}
	b.do("another window", chromedp.EmulateViewport(width, height), chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		_, err := cdp.Call(ctx, tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
		}})
		return err
	}))
	b.expect("document.documentElement.scrollWidth <= innerWidth", "true")
}

// shot keeps a picture of the window, and tells when it was.
func (b *browser) shot(name string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	b.t.Logf("%6.1fs %s", time.Since(b.start).Seconds(), name)
	picture, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		b.t.Errorf("screenshot %s: %v", name, err)
		return
	}
	if err := os.WriteFile(filepath.Join(b.output, fmt.Sprintf("%s-%s.png", strings.ToLower(b.t.Name()), name)), picture, 0o644); err != nil {
		b.t.Error(err)
	}
}
