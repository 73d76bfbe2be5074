package simulate

import corev1 "k8s.io/api/core/v1"

// pass lets one second go by.
func (w *world) pass() {
	if w.now >= w.Duration {
		w.run.Moments = append(w.run.Moments, w.moment())
		return
	}
	m := w.use()
	w.run.Moments = append(w.run.Moments, m)
	w.run.ReplicaHours += float64(len(w.pods)) * Tick.Hours()
	w.run.UnservedCores += m.Unserved / 1000 * Tick.Seconds()
	if w.perPod > 0 && m.Load > w.perPod*float64(m.Ready)*(1+1e-9) {
		w.run.Above += Tick
	}
	if w.perPod > 0 && m.Load > w.perPod*float64(m.Ready)*(1+w.tolerated)*(1+1e-9) {
		w.run.Beyond += Tick
	}
}

// use shares the load of one second among the ready pods; those that are starting or warm up use what that takes.
func (w *world) use() Moment {
	m := w.moment()
	if m.Ready > 0 {
		share := (m.Load - m.Unserved) / float64(m.Ready)
		each, warming := w.template.divide(share), w.template.divide(min(share+w.WarmUpMilli, w.template.limit))
		for _, p := range w.pods {
			switch {
			case w.now < p.ready:
			case w.now < p.warm:
				p.use(warming)
			default:
				p.use(each)
			}
		}
	}
	starting := w.template.divide(min(w.StartupMilli, w.template.limit))
	for _, p := range w.pods {
		if p.runs <= w.now && w.now < p.ready {
			p.use(starting)
		}
	}
	return m
}

// moment is what is asked for and what is there to serve it.
func (w *world) moment() Moment {
	m := Moment{At: w.now, Load: w.Load.during(w.now), Replicas: w.replicas}
	for _, p := range w.pods {
		if p.ready <= w.now {
			m.Ready++
		}
	}
	m.Unserved = m.Load
	if m.Ready > 0 {
		m.Unserved = max(0, m.Load-float64(m.Ready)*w.template.limit)
	}
	return m
}

// measured is the average CPU of the pods that have a sample, in millicores; negative if none has, or none can be read.
func (w *world) measured() float64 {
	sum, count := 0.0, 0
	for _, p := range w.pods {
		if p.sample == nil {
			continue
		}
		count++
		for _, c := range p.sample.Containers {
			cpu, _ := c.Usage.Of(corev1.ResourceCPU)
			sum += float64(cpu.MilliValue())
		}
	}
	if count == 0 || w.Outage.on(w.now) {
		return -1
	}
	return sum / float64(count)
}
