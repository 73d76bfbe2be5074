package schedule

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"time"
)

// Zones has the time zones that were asked for, so that each is read once. It is safe for concurrent use. Zones are read as
// time.LoadLocation does; a program that has to run where there are no files of zones imports time/tzdata.
type Zones struct {
	mu    sync.Mutex
	known map[string]*time.Location
}

const allowedZone = `must be "UTC" or the name of a place in the IANA time zone database, such as "Europe/Berlin"`

// load returns a zone by its name. Names without a place (Local, EST, EST5EDT, Etc/GMT+5, and old ones such as US/Eastern and GB) are refused:
// Local is another one on each machine, EST has no summer time, and Etc/GMT+5 is west of Greenwich.
func (z *Zones) load(name string) (*time.Location, error) {
	if name == "UTC" || name == "Etc/UTC" {
		return time.UTC, nil
	}
	if !isPlace(name) {
		return nil, errors.New(allowedZone)
	}
	z.mu.Lock()
	defer z.mu.Unlock()
	if zone, ok := z.known[name]; ok {
		return zone, nil
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, errors.New("is not known; it " + allowedZone)
	}
	if z.known == nil {
		z.known = map[string]*time.Location{}
	}
	z.known[name] = zone
	return zone, nil
}

// isPlace says whether a name is that of a place: one of the areas of the database, then letters, "_" and "-".
func isPlace(name string) bool {
	area, place, _ := strings.Cut(name, "/")
	for part := range strings.SplitSeq(place, "/") {
		if part == "" || strings.Trim(part, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_-") != "" {
			return false
		}
	}
	return slices.Contains([]string{
		"Africa", "America", "Antarctica", "Arctic", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific",
	}, area)
}
