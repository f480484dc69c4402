package archive

import (
	"regexp"
	"strings"
	"time"
)

// Digests is the folder in which CloudTrail keeps what proves that its files
// were not changed; insights the one of what it finds unusual in how many calls there
// are. They hold no events.
const (
	Digests  = "CloudTrail-Digest"
	insights = "CloudTrail-Insight"
)

// Window is the time whose events are wanted; zero times do not bound it.
type Window struct{ Since, Until time.Time }

var (
	// service is the folder of a service among the logs of an account.
	service = regexp.MustCompile(`^((?:.*/)?AWSLogs/(?:o-[a-z0-9]+/)?[0-9]{12}/([^/]+))/`)
	// dated is the folder of a day.
	dated = regexp.MustCompile(`^((?:.*/)?AWSLogs/(?:o-[a-z0-9]+/)?[0-9]{12}/CloudTrail[A-Za-z-]*/[a-z0-9-]+/)([0-9]{4}/[0-9]{2}/[0-9]{2})/`)
)

const dayLayout = "2006/01/02"

// Jump knows how CloudTrail lays out its files, which is
// AWSLogs/[organization/]account/CloudTrail/region/year/month/day/, and says what lies
// in a folder of another service, or of a day outside the window; a day more is
// wanted at the end, for records come late. A folder that root itself is, or lies
// in, is wanted whatever service it is of.
//
// path is that of a file, with slashes, or of a folder and a slash. "": it may be
// wanted. Else it gives a text that stands behind path, and behind what follows
// it and is not wanted either, in the order of bytes.
func (w Window) Jump(root, path string) string {
	if m := service.FindStringSubmatch(path); m != nil && len(m[1]) > len(root) {
		if !strings.HasPrefix(m[2], "CloudTrail") || m[2] == Digests || m[2] == insights {
			return m[1] + "/\U0010FFFF"
		}
	}
	m := dated.FindStringSubmatch(path)
	if m == nil {
		return ""
	}
	if !w.Since.IsZero() && m[2] < w.Since.UTC().Format(dayLayout) {
		return m[1] + w.Since.UTC().Format(dayLayout)
	}
	if !w.Until.IsZero() && m[2] > w.Until.UTC().AddDate(0, 0, 1).Format(dayLayout) {
		return m[1] + "9999/99/99"
	}
	return ""
}
