'use strict';
// Pictures of the past, as SVG. Every text goes through textContent.

const svgNS = 'http://www.w3.org/2000/svg';

function svg(name, attributes, ...children) {
  const e = document.createElementNS(svgNS, name);
  for (const [key, value] of Object.entries(attributes)) e.setAttribute(key, value);
  e.append(...children);
  return e;
}

// path joins points; null begins anew. With steps each value stays until the next.
function path(points, steps) {
  let d = '', before = null;
  for (const p of points) {
    if (p && before) d += steps ? `H${p[0].toFixed(1)}V${p[1].toFixed(1)}` : `L${p[0].toFixed(1)} ${p[1].toFixed(1)}`;
    else if (p) d += `M${p[0].toFixed(1)} ${p[1].toFixed(1)}`;
    before = p;
  }
  return d;
}

// area is what lies between the points and a line below.
function area(points, bottom) {
  let d = '', run = [];
  for (const p of [...points, null]) {
    if (p) { run.push(p); continue; }
    if (run.length > 1) d += path(run) + `L${run[run.length - 1][0].toFixed(1)} ${bottom}L${run[0][0].toFixed(1)} ${bottom}Z`;
    run = [];
  }
  return d;
}

// spark is the last hour of one workload: what was measured in percent of the target, 100 in the middle, and the replicas. A point has the time, the replicas, those that are ready, and the ratio.
function spark(past) {
  const w = 130, h = 30, most = Math.max(1, ...past.map(p => p[1])), to = past.length ? past[past.length - 1][0] : 0;
  const at = t => w - 2 - (to - t) / 3600 * (w - 4);
  const used = past.map(p => p[3] === null ? null : [at(p[0]), h - Math.min(p[3], 2) / 2 * h]), had = past.map(p => [at(p[0]), h - 2 - p[1] / most * (h - 5)]);
  if (had.length === 1) had.unshift([had[0][0] - 4, had[0][1]]);
  return svg('svg', {class: 'spark chart', viewBox: `0 0 ${w} ${h}`, 'aria-hidden': 'true'},
    svg('line', {class: 'grid', x1: 0, x2: w, y1: h / 2, y2: h / 2}),
    svg('path', {class: 'load', d: area(used, h)}), svg('path', {class: 'load-line', d: path(used)}), svg('path', {class: 'replicas', d: path(had, true)}));
}

// range shows the replicas between their bounds, and what the metrics want.
function range(r) {
  const w = 110, h = 18, top = Math.max(r.max || 0, r.replicas, r.wants || 0, 1), x = v => 3 + v / top * (w - 6);
  const g = svg('svg', {class: 'range', viewBox: `0 0 ${w} ${h}`, 'aria-hidden': 'true'},
    svg('rect', {x: 3, y: 8, width: w - 6, height: 4, rx: 2, class: 'track'}));
  if (r.max) g.append(svg('rect', {x: x(r.min), y: 8, width: Math.max(x(r.max) - x(r.min), 2), height: 4, rx: 2, class: 'may'}));
  g.append(svg('circle', {cx: x(r.replicas), cy: 10, r: 4.5}));
  if (r.wants !== undefined && r.wants !== r.replicas) g.append(svg('path', {d: `M${x(r.wants)} 4v12`}));
  return g;
}

function nice(top) {
  const unit = 10 ** Math.floor(Math.log10(top / 4));
  return [1, 2, 5, 10].map(f => f * unit).find(s => top / s <= 5);
}

// tolerance is the fraction in a rule, which is a quantity.
function tolerance(rule) {
  const q = String(rule.tolerance);
  return q.endsWith('m') ? parseFloat(q) / 1000 : parseFloat(q);
}

const clock = t => new Date(t * 1000).toLocaleTimeString([], {hour: '2-digit', minute: '2-digit', hour12: false});

// chart draws the page of one workload: replicas and load in pods, and below it the ratio to the target. Read is called with what is under the pointer.
function chart(width, data, tried, read) {
  const c = data.series, n = c.length, left = 40, right = 14, w = Math.max(width - left - right, 100), heights = [190, 90], gap = 40;
  const height = 14 + heights[0] + gap + heights[1] + 24;
  const root = svg('svg', {class: 'chart', viewBox: `0 0 ${width} ${height}`, height, role: 'img', 'aria-label': `Replicas, load and usage over time, ${n} points; the newest: ${n ? c[n - 1][1] : 0} replicas`});
  if (!n) return root;
  const to = c[n - 1][0], from = Math.min(c[0][0], to - 300), x = t => left + (t - from) / (to - from) * w;
  const load = c.map(([, , ready, ratio]) => ratio === null || ready === null ? null : ratio * ready);
  const row = data.row || {}, seen = [...c.map(p => p[1]), ...load.filter(v => v !== null), ...(tried || []).map(p => p[1])];
  const high = Math.max(1, ...seen), top = row.max && row.max <= high * 2 ? Math.max(high, row.max) : high;
  const panel = (y0, h, peak, whole, suffix, title) => {
    const step = Math.max(nice(peak), whole ? 1 : 0), end = Math.max(step, Math.ceil(peak / step - 1e-9) * step), y = v => y0 + h - Math.min(v / end, 1.05) * h;
    const g = svg('g', {});
    for (let v = 0; v <= end + 1e-9; v += step) {
      g.append(svg('line', {class: 'grid', x1: left, x2: left + w, y1: y(v), y2: y(v)}));
      const label = svg('text', {x: left - 8, y: y(v) + 4, 'text-anchor': 'end'});
      label.textContent = +(v * (suffix ? 100 : 1)).toFixed(2) + suffix;
      g.append(label);
    }
    const name = svg('text', {x: left, y: y0 - 6});
    name.textContent = title;
    g.append(name);
    root.append(g);
    return y;
  };
  const at = (values, y) => values.map((v, i) => v === null ? null : [x(c[i][0]), y(v)]);
  const y = panel(14, heights[0], top, true, '', 'pods'), bottom = 14 + heights[0];
  const bound = v => { if (v !== undefined && v <= top) root.append(svg('path', {class: 'bound', d: `M${left} ${y(v)}H${left + w}`})); };
  root.append(svg('path', {class: 'load', d: area(at(load, y), bottom)}), svg('path', {class: 'load-line', d: path(at(load, y))}));
  bound(row.min); bound(row.max);
  root.append(svg('path', {class: 'ready', d: path(at(c.map(p => p[2]), y), true)}), svg('path', {class: 'replicas', d: path(at(c.map(p => p[1]), y), true)}));
  if (tried) root.append(svg('path', {class: 'tried', d: path(tried.map(p => [x(p[0]), y(p[1])]), true)}));
  const y1 = bottom + gap, ratio = c.map(p => p[3]), ratios = ratio.filter(v => v !== null), z = panel(y1, heights[1], Math.max(1.2, ...ratios.map(v => Math.min(v, 5))), false, '%', 'usage in percent of its target');
  if (data.up) root.append(svg('rect', {class: 'band', x: left, width: w, y: z(1 + tolerance(data.up)), height: z(1 - tolerance(data.down)) - z(1 + tolerance(data.up))}));
  root.append(svg('path', {class: 'aim', d: `M${left} ${z(1)}H${left + w}`}), svg('path', {class: 'ratio', d: path(at(ratio, z))}));
  const step = [60, 120, 300, 600, 900, 1800].find(s => (to - from) / s <= w / 80) || 3600;
  for (let t = Math.ceil(from / step) * step; t <= to; t += step) {
    const label = svg('text', {x: x(t), y: height - 6, 'text-anchor': 'middle'});
    label.textContent = clock(t);
    root.append(label);
  }
  const cross = svg('path', {class: 'cross', d: ''});
  root.append(cross);
  root.addEventListener('pointermove', e => {
    const box = root.getBoundingClientRect(), t = from + ((e.clientX - box.left) * width / box.width - left) / w * (to - from);
    let i = 0;
    while (i < n - 1 && c[i + 1][0] <= t) i++;
    cross.setAttribute('d', `M${x(c[i][0])} 14V${y1 + heights[1]}`);
    read(i);
  });
  root.addEventListener('pointerleave', () => { cross.setAttribute('d', ''); read(-1); });
  return root;
}
