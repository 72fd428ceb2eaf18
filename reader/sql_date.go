package reader

import (
	"fmt"
	"time"
)

const (
	second = time.Second
	day    = 24 * time.Hour

	dateLayout      = "2006-01-02"
	timestampLayout = "2006-01-02 15:04:05"
)

// date is a constant of a domain that stands for a day or a moment.
type date struct {
	time     time.Time // UTC, as written
	dateOnly bool
}

// parseDate reads the forms of dates that all series read alike: YYYY-MM-DD and
// YYYY-MM-DD HH:MM:SS, fractions allowed.
func parseDate(v any) (date, error) {
	text, ok := v.(string)
	if !ok {
		return date{}, fmt.Errorf("%v is no date", v)
	}
	if t, err := time.Parse(dateLayout, text); err == nil && t.Year() > 0 {
		return date{time: t, dateOnly: true}, nil
	}
	t, err := time.Parse(timestampLayout, text)
	if err != nil || t.Year() == 0 {
		return date{}, fmt.Errorf("%q is no date", text)
	}
	return date{time: t}, nil
}

// moment returns the instant a constant means on a datetime field: a day begins at midnight in the
// time zone of the context, and fractions of a second do not count
// (Odoo 19.0: odoo/orm/domains.py, _value_to_datetime).
func (c *compiler) moment(v any) (time.Time, bool, error) {
	d, err := parseDate(v)
	if err != nil {
		return time.Time{}, false, err
	}
	if !d.dateOnly {
		return d.time.Truncate(time.Second), false, nil
	}
	zone := c.context.Tz
	if zone == "" {
		zone = c.principal.Tz
	}
	if zone == "" || d.time.Year() == 1 || d.time.Year() == 9999 {
		return d.time, true, nil
	}
	location, err := time.LoadLocation(zone)
	if err != nil {
		return time.Time{}, false, fmt.Errorf("time zone %q: %w", zone, err)
	}
	return time.Date(d.time.Year(), d.time.Month(), d.time.Day(), 0, 0, 0, 0, location).UTC(), true, nil
}
