package metrics

// tolerated is how many LISTs in a row may fail before there are said to be no current metrics: one, because a
// connection that was closed while idle or a restarting replica of the API server costs exactly one request.
const tolerated = 1

// health follows the outcomes of the LISTs and finds the moments worth telling. It is a value.
type health struct {
	// answered is true from the first good LIST on.
	answered bool
	failing  bool
	// failures counts the failed LISTs since the last good one.
	failures int
	// last is the failure of the latest LIST; nil after a good one. It stays the same value while the kind of
	// failure stays the same, so that its text does too.
	last *failure
}

// with returns the health after one more LIST, failed or (nil) good, and whether it changed between ok and failing.
func (h health) with(f *failure) (_ health, changed bool) {
	if f == nil {
		return health{answered: true}, h.failing
	}
	if h.last == nil || h.last.kind != f.kind {
		h.last = f
	}
	h.failures++
	changed = !h.failing && h.failures > tolerated
	h.failing = h.failing || changed
	return h, changed
}

// err says why there are no current metrics; nil while the API answers.
func (h health) err() error {
	switch {
	case h.failing, !h.answered && h.last != nil:
		return h.last
	case !h.answered:
		return ErrPending
	}
	return nil
}
