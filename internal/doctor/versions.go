package doctor

import (
	"slices"
	"strconv"
	"strings"
)

// knownFaults are those of a version of the Jolokia agent. Sources: the advisories
// GHSA-rhqj-4pp8-vvgf (CVE-2018-1000130), CVE-2018-1000129 and CVE-2018-10899, and
// Jolokia's issue 934.
func knownFaults(version string) []string {
	v := numbersOf(version)
	var faults []string
	if slices.Compare(v, []int{1, 5, 0}) < 0 {
		faults = append(faults, "code can be run through its proxy (CVE-2018-1000130), and pages inject scripts (CVE-2018-1000129): update to 1.7.2, or to 2.x on JDK 17")
	}
	if slices.Compare(v, []int{1, 6, 1}) < 0 {
		faults = append(faults, "a web page can send requests in a user's name (CVE-2018-10899): update to 1.7.2, or to 2.x on JDK 17")
	}
	if slices.Compare(v, []int{2, 4, 0}) >= 0 && slices.Compare(v, []int{2, 5, 0}) < 0 {
		faults = append(faults, "attributes that are not a number (NaN) make a read fail: update to 2.5.0 or later")
	}
	return faults
}

// numbersOf reads "2.4.1-SNAPSHOT" as 2, 4, 1.
func numbersOf(version string) []int {
	version, _, _ = strings.Cut(version, "-")
	var out []int
	for part := range strings.SplitSeq(version, ".") {
		n, err := strconv.Atoi(part)
		if err != nil {
			break
		}
		out = append(out, n)
	}
	return out
}
