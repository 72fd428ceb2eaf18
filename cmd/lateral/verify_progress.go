package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"lateral/reader/verify"
)

// How often progress is shown: to a person, and in a log.
const (
	barInterval  = 200 * time.Millisecond
	lineInterval = 10 * time.Second
	barWidth     = 30
)

// progressLine shows how far a run is: a bar on a terminal, lines elsewhere.
type progressLine struct {
	out      io.Writer
	terminal bool
	shown    time.Time
	began    time.Time
	first    int // reads when it began
	drawn    bool
}

func newProgressLine(out io.Writer) *progressLine {
	file, ok := out.(*os.File)
	now := time.Now()
	return &progressLine{out: out, terminal: ok && isTerminal(file), began: now, shown: now, first: -1}
}

func (p *progressLine) show(report *verify.Report, reads int) {
	if p.first < 0 {
		p.first = report.Reads
	}
	interval := lineInterval
	if p.terminal {
		interval = barInterval
	}
	now := time.Now()
	if now.Sub(p.shown) < interval && report.Reads < reads {
		return
	}
	p.shown = now
	pace := float64(report.Reads-p.first) / max(now.Sub(p.began).Seconds(), 1)
	left := "?"
	if pace > 0 {
		left = (time.Duration(float64(reads-report.Reads)/pace) * time.Second).String()
	}
	text := fmt.Sprintf("%d of %d reads, %d differ, %d leak, %.1f per second, %s left",
		report.Reads, reads, report.Reads-report.Agree, report.Kinds[verify.Leak], pace, left)
	if !p.terminal {
		fmt.Fprintln(p.out, text)
		return
	}
	full := barWidth * report.Reads / max(reads, 1)
	fmt.Fprintf(p.out, "\r\x1b[K[%s%s] %s", strings.Repeat("#", full), strings.Repeat(".", barWidth-full), text)
	p.drawn = true
}

// end leaves the bar behind.
func (p *progressLine) end() {
	if p.drawn {
		fmt.Fprintln(p.out)
	}
}
