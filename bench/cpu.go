package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// tick is the unit of the kernel's accounting of time in /proc/<pid>/stat (USER_HZ, 100 on all of Linux's architectures that Go knows).
const tick = 10 * time.Millisecond

// cpuTime is the time that a process has had on processors, its own and the kernel's for it.
func cpuTime(pid int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The name of the program, in parentheses, may hold spaces.
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0, fmt.Errorf("/proc/%d/stat is not understood", pid)
	}
	var ticks int64
	for _, field := range fields[11:13] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("/proc/%d/stat: %w", pid, err)
		}
		ticks += n
	}
	return time.Duration(ticks) * tick, nil
}

// memory reads a line of /proc/<pid>/status, such as VmRSS or VmHWM, in bytes.
func memory(pid int, line string) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	_, rest, found := strings.Cut(string(text), line+":")
	fields := strings.Fields(rest)
	if !found || len(fields) == 0 {
		return 0, fmt.Errorf("/proc/%d/status has no %s", pid, line)
	}
	n, err := strconv.ParseInt(fields[0], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("/proc/%d/status: %w", pid, err)
	}
	return n << 10, nil
}

// resetPeak makes VmHWM count from now.
func resetPeak(pid int) error {
	return os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0)
}

// backends are the processes of PostgreSQL that serve an application.
func backends(ctx context.Context, owner *pgx.Conn, application string) ([]int, error) {
	rows, err := owner.Query(ctx, "SELECT pid FROM pg_stat_activity WHERE application_name = $1", application)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[int])
}

// cpuOf sums the time of processes. Those that this machine does not show, since the server runs elsewhere or in a
// container's own space of processes, make it report false.
func cpuOf(pids []int) (time.Duration, bool) {
	var sum time.Duration
	for _, pid := range pids {
		t, err := cpuTime(pid)
		if errors.Is(err, os.ErrNotExist) {
			return 0, false
		}
		sum += t
	}
	return sum, len(pids) > 0
}
