package dispatch

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// What flows may ask for, at most.
const (
	maxWait        = 90 * 24 * time.Hour  // of one step
	maxFlowTimeout = 365 * 24 * time.Hour // of a whole run
)

var (
	durationText = regexp.MustCompile(`^(\d+(\.\d+)?(d|h|ms|m|s))+$`)
	durationPart = regexp.MustCompile(`(\d+(?:\.\d+)?)(d|h|ms|m|s)`)
)

// parseDuration reads "10m", "1h30m", "2d", or a bare number of seconds. It is
// neither negative nor longer than most.
func parseDuration(text string, most time.Duration) (time.Duration, error) {
	text = strings.TrimSpace(text)
	if seconds, err := strconv.ParseFloat(text, 64); err == nil && !strings.ContainsAny(text, "xXpP_nN+") {
		text = strconv.FormatFloat(seconds, 'f', -1, 64) + "s"
	}
	if strings.HasPrefix(text, "-") {
		return 0, errors.New("a duration cannot be negative")
	}
	if !durationText.MatchString(text) {
		return 0, errors.New("not a duration: write 90 (seconds), 10m, 1h30m or 2d")
	}
	units := map[string]time.Duration{"d": 24 * time.Hour, "h": time.Hour, "m": time.Minute, "s": time.Second, "ms": time.Millisecond}
	var sum float64
	for _, part := range durationPart.FindAllStringSubmatch(text, -1) {
		n, err := strconv.ParseFloat(part[1], 64)
		if err != nil {
			return 0, fmt.Errorf("not a duration: %w", err)
		}
		sum += n * float64(units[part[2]])
	}
	if sum > float64(most) {
		return 0, fmt.Errorf("longer than %s, which is the most", shortDuration(most))
	}
	return time.Duration(sum), nil
}

// shortDuration shows a duration as people write it: "90d", "15m".
func shortDuration(d time.Duration) string {
	if day := 24 * time.Hour; d >= day && d%day == 0 {
		return fmt.Sprintf("%dd", d/day)
	}
	text := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(text, zero) {
			text = text[:len(text)-2]
		}
	}
	return text
}
