'use strict';
// The three pages. Text from the cluster goes through textContent alone; the policy of the page forbids the rest.

// clean shows what would not be seen, or would reorder what is seen, as an escape, as mini-hpa does in a terminal.
const clean = text => text.replace(/[\p{C}\p{Z}]/gu, c => {
  if (c === ' ' || c === '\n') return c;
  const hex = c.codePointAt(0).toString(16);
  return hex.length < 3 ? '\\x' + hex.padStart(2, '0') : hex.length < 5 ? '\\u' + hex.padStart(4, '0') : '\\U' + hex.padStart(8, '0');
});

// el makes an element. Properties that are not an element's own are attributes. All text goes in here.
function el(name, properties, ...children) {
  const e = document.createElement(name);
  for (const [key, value] of Object.entries(properties || {})) {
    if (value === undefined) continue;
    if (key in e && key !== 'list') e[key] = key === 'title' ? clean(value) : value; else e.setAttribute(key, value);
  }
  e.append(...children.filter(c => c !== undefined && c !== null).map(c => typeof c === 'string' ? clean(c) : c));
  return e;
}

// some are pieces that are there if something is so.
const some = (is, ...pieces) => is ? pieces : [];

const main = document.getElementById('main'), banner = document.getElementById('banner'), source = document.getElementById('source');
const levels = {DOWN: 'bad', BLIND: 'bad', INVALID: 'bad', CONFLICT: 'bad', DENIED: 'bad', STARVED: 'bad', OVERWRITTEN: 'warn', LIMITED: 'warn', HOLDING: 'info', RAMPING: 'info', OK: 'good'};
const level = state => levels[state] || 'off';
const pill = state => el('span', {className: 'state ' + level(state)}, state);
const address = r => ['/w', r.namespace, r.resource, r.name].map((p, i) => i ? encodeURIComponent(p) : p).join('/');
const kindOf = r => r.kind === 'Deployment' ? '' : r.kind;

// age is how long ago something was, as kubectl says it.
function age(ms) {
  const s = Math.max(0, Math.round(ms / 1000)), m = Math.floor(s / 60), h = Math.floor(m / 60);
  if (s < 120) return s + 's';
  if (m < 10) return m + 'm' + (s % 60 ? s % 60 + 's' : '');
  if (m < 180) return m + 'm';
  return h < 48 ? h + 'h' : Math.floor(h / 24) + 'd';
}

// ago is a time that goes on by itself.
function ago(iso) {
  const e = el('time', {dateTime: iso, title: new Date(iso).toLocaleString()});
  e.textContent = age(now() - Date.parse(iso));
  return e;
}

// now is the time of the process that tells, which is on this machine.
const now = () => Date.now();

// How old what is shown may be before it looks old.
const staleAfter = 30000;
let head = {}, heard = performance.now(), began = performance.now();

// typed is a command, which asks the same cluster as mini-hpa dashboard does.
const typed = (verb, rest) => [verb, head.args, rest].filter(Boolean).join(' ');

function hear() {
  heard = performance.now();
  headline();
}

function say(text, bad) {
  text = clean(text);
  banner.hidden = !text;
  banner.classList.toggle('bad', !!bad);
  if (banner.textContent !== text) banner.textContent = text;
}

// headline says who tells, and what there is to know before anything else. What is old looks old, and stays.
function headline() {
  const silent = performance.now() - heard, asked = head.asked ? Date.parse(head.asked) : 0;
  const old = silent > staleAfter || asked && now() - asked > staleAfter || !asked && performance.now() - began > staleAfter;
  document.body.classList.toggle('stale', !!old);
  let word = 'connecting …', look = '';
  if (asked) {
    word = head.told ? `leader ${head.leader}` : 'computed here';
    word += ` · ${age(now() - asked)} ago`;
    look = old ? 'bad' : head.told ? 'live' : head.vacant ? 'bad' : 'here';
  }
  source.className = 'quiet ' + look;
  source.textContent = clean(word);
  source.title = clean(head.source || '');
  if (silent > staleAfter) return say(`Nothing was heard for ${age(silent)}: “mini-hpa dashboard” does not answer. What you see is ${asked ? age(now() - asked) : ''} old.`, true);
  if (old) return say(`What you see is ${asked ? age(now() - asked) + ' old' : 'nothing yet'}. ${head.problem || 'The cluster does not answer.'}`, true);
  if (head.problem) return say(head.problem, true);
  if (asked && head.vacant) return say(head.source.replace('source: ', '').replace(/^c/, 'C') + '.', true);
  if (asked && !head.told) return say(head.source.replace('source: ', '').replace(/^c/, 'C') + '. Windows and last changes are not known then.');
  if (head.metricsError) return say('The controller has no current metrics: ' + head.metricsError, true);
  say('');
}

// A cookie goes to every port of this machine. What is asked for has another secret in it, too, which came with the first URL and is for this origin alone.
if (location.hash.startsWith('#key=')) {
  localStorage.setItem('key', location.hash.slice(5));
  history.replaceState(null, '', location.pathname + location.search);
}
const keyed = (path, query = '') => `${path}?${new URLSearchParams([...new URLSearchParams(query), ['key', localStorage.getItem('key') || '']])}`;

// follow listens to a stream while the tab is seen, and comes back when it breaks off. A browser has six connections to an address, for all tabs together.
function follow(url, event, take) {
  let events, again;
  function listen() {
    clearTimeout(again);
    if (events) events.close();
    if (document.hidden) return;
    events = new EventSource(keyed(url));
    events.addEventListener(event, e => {
      const data = JSON.parse(e.data);
      head = data.head;
      take(data);
      hear();
    });
    events.addEventListener('error', e => {
      if (e.target === events && events.readyState === EventSource.CLOSED) again = setTimeout(listen, 5000); // otherwise it comes back by itself
    });
  }
  document.addEventListener('visibilitychange', () => { heard = performance.now(); listen(); });
  listen();
}

setInterval(() => {
  headline();
  for (const t of document.querySelectorAll('time')) t.textContent = age(now() - Date.parse(t.dateTime));
}, 1000);

// --- all workloads

function fleet() {
  const rows = new Map(), lines = new Map(), asked = new URLSearchParams(location.search);
  const want = {state: asked.get('state') || '', ns: asked.get('ns') || '', q: asked.get('q') || '', sort: asked.get('sort') || 'state'};
  let shown = 100, settled = false;
  const order = {
    state: (a, b) => a.rank - b.rank, name: (a, b) => a.name.localeCompare(b.name), replicas: (a, b) => b.replicas - a.replicas,
    last: (a, b) => (b.lastScale ? b.lastScale.time : '').localeCompare(a.lastScale ? a.lastScale.time : ''),
  };
  const byName = (a, b) => a.namespace.localeCompare(b.namespace) || a.name.localeCompare(b.name) || a.kind.localeCompare(b.kind);
  const chips = el('div', {className: 'tools', role: 'group', 'aria-label': 'States'});
  const search = el('input', {type: 'search', placeholder: 'Search', value: want.q, 'aria-label': 'Search by name or reason'});
  const spaces = el('select', {'aria-label': 'Namespace'});
  const heads = [['state', 'State'], ['name', 'Name'], ['', 'Targets'], ['replicas', 'Replicas'], ['', 'Last hour'], ['last', 'Last scale'], ['', 'Why']].map(([key, text]) =>
    el('th', {scope: 'col'}, key ? el('button', {type: 'button', onclick: () => { want.sort = key; draw(); }}, text) : text));
  const body = el('tbody'), more = el('p', {className: 'more', hidden: true}, el('button', {type: 'button', onclick: () => { shown += 100; draw(); }}, 'Show more'));
  const table = el('div', {className: 'card fleet', hidden: true}, el('table', {'aria-label': 'Workloads'}, el('thead', {}, el('tr', {}, ...heads)), body), more);
  const empty = el('p', {className: 'quiet'}, 'Asking the cluster …');
  main.append(el('div', {className: 'title'}, el('h1', {}, 'Workloads')), el('div', {className: 'tools'}, chips, el('span', {className: 'gap'}), spaces, search), empty, table);
  search.addEventListener('input', () => { want.q = search.value; shown = 100; draw(); });
  spaces.addEventListener('change', () => { want.ns = spaces.value; shown = 100; draw(); });

  function cells(r) {
    const link = el('a', {href: address(r)}, r.name), last = r.lastScale;
    return [
      el('td', {className: 'state-cell'}, pill(r.state)),
      el('td', {className: 'name'}, link, el('small', {}, [r.namespace, kindOf(r)].filter(Boolean).join(' · '))),
      el('td', {className: 'targets'}, ...(r.targets || []).map(t => el('span', {className: 'target'}, t.metric + ' ', t.value, el('span', {}, t.target ? ' / ' + t.target : '')))),
      el('td', {className: 'replicas'}, words(r), range(r)),
      el('td', {className: 'spark-cell'}, spark(r.past)),
      el('td', {className: 'last'}, ...(last ? [ago(last.time), ` (${last.from} → ${last.to})`] : [])),
      el('td', {className: 'why'}, ...(r.why ? [r.why] : [])),
    ];
  }

  // words are the replicas, and what is special about them.
  function words(r) {
    let text = String(r.replicas);
    if (r.ready !== r.replicas) text += `, ${r.ready} ready`;
    if (r.wants !== undefined && r.wants !== r.replicas) text += `, wants ${r.wants}`;
    return el('span', {title: r.max === undefined ? '' : `from ${r.min} to ${r.max}`}, text);
  }

  function line(r) {
    const id = address(r);
    let l = lines.get(id);
    if (!l) lines.set(id, l = {tr: el('tr')});
    if (l.row === r) return l.tr;
    const focused = l.tr.contains(document.activeElement);
    l.tr.replaceChildren(...cells(r));
    l.row = r;
    if (focused) l.tr.querySelector('a').focus();
    return l.tr;
  }

  function draw() {
    const all = [...rows.values()], within = all.filter(r => !want.ns || r.namespace === want.ns), q = want.q.toLowerCase();
    const counts = new Map();
    for (const r of within) counts.set(r.state, (counts.get(r.state) || 0) + 1);
    const rank = s => within.find(r => r.state === s).rank;
    const states = [...counts.keys()].sort((a, b) => rank(a) - rank(b)), problems = within.filter(r => r.problem).length;
    const chip = (key, text, n, look) => el('button', {type: 'button', className: 'chip', ariaPressed: String(want.state === key), onclick: () => { want.state = want.state === key ? '' : key; shown = 100; draw(); }},
      el('span', {className: look || ''}, text), el('b', {}, String(n)));
    const had = chips.contains(document.activeElement) ? [...chips.children].indexOf(document.activeElement) : -1;
    chips.replaceChildren(chip('', 'All', within.length), ...(problems ? [chip('problem', 'Problems', problems, 'bad')] : []), ...states.map(s => chip(s, s, counts.get(s), level(s))));
    if (had >= 0 && chips.children[had]) chips.children[had].focus();
    const names = [...new Set(all.map(r => r.namespace))].sort();
    if (spaces.options.length !== names.length + 1 || names.some((n, i) => spaces.options[i + 1].value !== n)) {
      spaces.replaceChildren(el('option', {value: ''}, 'All namespaces'), ...names.map(n => el('option', {value: n}, n)));
    }
    spaces.value = want.ns;
    spaces.hidden = names.length < 2;
    const found = within.filter(r => (!want.state || (want.state === 'problem' ? r.problem : r.state === want.state)) && (!q || `${r.namespace}/${r.name} ${r.why || ''}`.toLowerCase().includes(q)));
    found.sort((a, b) => (order[want.sort] || order.state)(a, b) || byName(a, b));
    heads.forEach((h, i) => ['state', 'name', '', 'replicas', '', 'last', ''][i] === want.sort && want.sort ? h.setAttribute('aria-sort', 'ascending') : h.removeAttribute('aria-sort'));
    const trs = found.slice(0, shown).map(line);
    if (trs.length !== body.children.length || trs.some((tr, i) => body.children[i] !== tr)) {
      const focused = document.activeElement;
      body.replaceChildren(...trs);
      if (focused && body.contains(focused) && focused !== document.activeElement) focused.focus();
    }
    table.hidden = !found.length;
    more.hidden = found.length <= shown;
    more.firstChild.textContent = `Show more (${found.length - Math.min(shown, found.length)})`;
    empty.hidden = !!found.length;
    empty.textContent = !settled ? 'Asking the cluster …' : all.length ? 'No workload is like that.' : `No workload${head.scope ? ' in namespace ' + head.scope : ''} has annotations of mini-hpa.`;
    const query = new URLSearchParams(Object.entries(want).filter(([k, v]) => v && !(k === 'sort' && v === 'state')));
    history.replaceState(null, '', query.size ? '/?' + query : '/');
  }

  follow('/stream', 'table', t => {
    if (t.reset) rows.clear(); // lines stay, and with them the focus
    for (const id of t.gone || []) { const key = '/w/' + id.split('/').map(encodeURIComponent).join('/'); rows.delete(key); lines.delete(key); }
    for (const r of t.rows) rows.set(address(r), r);
    settled = settled || !!t.head.asked;
    draw();
  });
}

// --- one workload

function workload() {
  let data = {}, tried = null, command = '';
  const crumbs = el('p', {className: 'crumbs'}, el('a', {href: '/'}, 'Workloads')), title = el('div', {className: 'title'}), lead = el('p', {className: 'lead quiet'}, 'Asking the cluster …');
  const numbers = el('dl', {className: 'numbers'}), read = el('p', {className: 'read'}), picture = el('div'), legend = el('ul', {className: 'legend'});
  const outlook = el('div', {className: 'card'}), form = el('div', {className: 'try'}), found = el('div', {'aria-live': 'polite'}), sections = el('div', {className: 'card'}), changes = el('div', {className: 'card'});
  const copy = el('button', {type: 'button', onclick: () => navigator.clipboard.writeText(command).then(() => { copy.textContent = 'Copied'; setTimeout(() => { copy.textContent = 'Copy'; }, 1500); }), hidden: !navigator.clipboard}, 'Copy'); // it is there on loopback and by TLS only
  const code = el('code', {tabIndex: 0, 'aria-label': 'The command'}), box = el('div', {className: 'command', hidden: true}, code, copy);
  const trial = el('div', {className: 'card', hidden: true}, el('h2', {}, 'What if'), el('p', {className: 'quiet read'}, 'Other values are tried on the load that was seen. Nothing is changed: copy the command to do so.'), form, found, box);
  const page = el('div', {hidden: true}, numbers, el('div', {className: 'card'}, read, picture, legend), el('div', {className: 'pair'}, el('div', {}, outlook, changes), trial), sections);
  main.append(crumbs, title, lead, page);
  const [, , ns, kind, name] = location.pathname.split('/').map(decodeURIComponent), url = [ns, kind, name].map(encodeURIComponent).join('/');
  document.title = name + ' · mini-hpa';
  title.append(el('h1', {}, name));

  function idle() {
    const c = data.series;
    read.textContent = c.length ? `Seen since ${clock(Date.parse(head.since) / 1000)}${c[0][0] < Date.parse(head.since) / 1000 ? '; before, what the controller has recorded or remembers' : ''}.` : 'Nothing has been seen yet.';
  }

  // series is the past, after the changes of the hour before it that the controller remembers.
  function series() {
    const seen = data.past || [], first = seen.length ? seen[0][0] : 0, before = [];
    for (const e of data.changes || []) {
      const t = Math.floor(Date.parse(e.time) / 1000);
      if (e.from !== e.to && t < first && seen[seen.length - 1][0] - t < 3600) before.push([t, e.from || 0, null, null], [t, e.to || 0, null, null]);
    }
    return [...before, ...seen];
  }

  function picturing() {
    picture.replaceChildren(chart(picture.clientWidth || 800, data, tried && tried.past, i => {
      if (i < 0) return idle();
      const [t, replicas, ready, ratio] = data.series[i];
      read.textContent = [new Date(t * 1000).toLocaleTimeString(), `${replicas} replicas`, ready !== null && ready !== replicas ? `${ready} ready` : '', ratio !== null ? `${Math.round(ratio * 100)}% of the target` : ''].filter(Boolean).join(' · ');
    }));
    const key = (cls, text) => el('li', {}, svg('svg', {class: 'chart', viewBox: '0 0 22 8', 'aria-hidden': 'true'}, svg('path', {class: cls, d: 'M0 4H22'})), text);
    legend.replaceChildren(key('replicas', 'replicas'), key('ready', 'ready'), key('load-line', 'load, in pods at their target'), key('bound', 'bounds'), key('aim', 'target'), ...some(tried && tried.past, key('tried', 'replicas with other values')));
  }

  // shell is a word as a shell reads it.
  const shell = word => /^[\w\-./=%:,]+$/.test(word) ? word : `'${word.replace(/'/g, `'\\''`)}'`;

  let asking = new AbortController();
  async function attempt() {
    asking.abort();
    asking = new AbortController();
    const query = new URLSearchParams(), {signal} = asking;
    for (const i of form.querySelectorAll('input')) {
      i.classList.toggle('changed', i.value.trim() !== i.dataset.value);
      if (i.value.trim() !== i.dataset.value) query.set(i.name, i.value.trim());
    }
    if (!query.size) { tried = null; command = ''; box.hidden = true; found.replaceChildren(); return picturing(); }
    let answer, sound = false;
    try {
      const reply = await fetch(keyed(`/try/${url}`, query), {signal});
      answer = reply.ok ? await reply.json() : {problem: await reply.text()};
      sound = reply.ok && !answer.invalid;
    } catch (e) {
      answer = {problem: '“mini-hpa dashboard” does not answer: ' + e.message};
    }
    if (signal.aborted) return;
    tried = answer.past ? answer : null;
    command = !sound ? '' : typed('kubectl annotate', `--overwrite -n ${shell(ns)} ${shell(kind + '/' + name)} `) + [...query].map(([k, v]) => v ? shell(k + '=' + v) : k + '-').join(' ');
    code.textContent = clean(command);
    box.hidden = !command;
    const row = (text, key, show) => {
      const [a, b] = [answer.now[key], answer.then[key]].map(v => show(v));
      return el('tr', {}, el('td', {}, text), el('td', {className: 'num'}, a), el('td', {className: 'num ' + (a === b ? '' : answer.then[key] < answer.now[key] ? 'good' : 'warn')}, b));
    };
    const head = (...texts) => el('thead', {}, el('tr', {}, ...texts.map((t, i) => el('th', {scope: 'col', className: i ? 'num' : ''}, t))));
    found.replaceChildren(...(answer.invalid || []).map(p => el('p', {className: 'problem'}, p)), ...some(answer.problem, el('p', {className: 'quiet'}, answer.problem || '')),
      ...(tried ? [el('table', {className: 'sums'}, head('simulated', 'as it is', 'tried'), el('tbody', {}, row('replica-hours', 'hours', v => v.toFixed(2)), row('changes of replicas', 'changes', String), row('above target and tolerance', 'beyond', v => age(v * 1000))))] : []));
    picturing();
  }
  let typing;
  form.addEventListener('input', () => { clearTimeout(typing); typing = setTimeout(attempt, 300); });

  // settings are the annotations that can be tried: those that the object has, and for bounds and windows what they stand for without one.
  function settings() {
    const has = data.annotations || {}, r = data.row || {}, window = rule => rule && !has['mini-hpa/behavior'] ? age1(rule.stabilizationWindowSeconds) : undefined;
    const all = [['target-cpu'], ['target-memory'], ['min', r.min], ['max', r.max], ['scale-up-stabilization', window(data.up)], ['scale-down-stabilization', window(data.down)]]
      .map(([key, stands]) => [key, has['mini-hpa/' + key] !== undefined ? has['mini-hpa/' + key] : stands === undefined ? undefined : String(stands)]).filter(([, value]) => value !== undefined);
    const keys = data.annotations ? all.map(String).join() : '';
    trial.hidden = !keys;
    if (form.dataset.keys === keys) return;
    form.dataset.keys = keys;
    form.replaceChildren(...all.map(([key, value]) => el('label', {}, key, el('input', {name: 'mini-hpa/' + key, value, autocomplete: 'off', spellcheck: false, 'data-value': value}))));
    attempt();
  }
  const age1 = s => s % 60 || !s ? s + 's' : s / 60 + 'm';

  // outlooks say what would change the decision: the next moment, and how far each metric has to go by itself.
  function outlooks(r) {
    const lines = some(data.next, 'time alone, at ' + new Date(data.next).toLocaleTimeString());
    for (const t of r && r.replicas && data.up ? r.targets || [] : []) {
      const [, aim, unit] = /^([\d.]+)(.*)$/.exec(t.target || '') || [];
      if (!aim || t.value === '?') continue;
      const at = f => +(aim * f).toPrecision(3) + unit, down = Math.min(1 - tolerance(data.down), (r.replicas - 1) / r.replicas);
      lines.push(`${t.metric} above ${at(1 + tolerance(data.up))} asks for more${r.replicas > Math.max(r.min, 1) ? `, below ${at(down)} for fewer` : ''}; it is ${t.value}`);
    }
    return lines.concat(some(data.setBy, `spec.replicas was set by ${data.setBy}`));
  }

  // grid is a table of the explanation. Its first row is in capitals if it names the columns.
  function grid(rows) {
    const headed = rows.length > 1 && rows[0].length > 1 && rows[0].every(c => c && c === c.toUpperCase() && /[A-Z]/.test(c));
    const line = (cells, cell) => el('tr', {}, ...cells.map(c => el(cell, cell === 'th' ? {scope: 'col'} : {}, cell === 'th' ? c[0] + c.slice(1).toLowerCase() : c)));
    return el('div', {className: 'scroll', tabIndex: 0, role: 'group', 'aria-label': 'Table'}, el('table', {}, ...(headed ? [el('thead', {}, line(rows[0], 'th'))] : []), el('tbody', {}, ...(headed ? rows.slice(1) : rows).map(r => line(r, 'td')))));
  }

  function explained() {
    const open = new Map([...sections.querySelectorAll('details')].map(d => [d.dataset.title, d.open])), left = document.activeElement.scrollLeft;
    const parts = (data.sections || []).filter(s => s.title).map(s => {
      const key = s.title.replace(/ \(.*/, '');
      return el('details', {open: open.has(key) ? open.get(key) : /^(Reasoning|Pods)/.test(key), 'data-title': key}, el('summary', {}, s.title), ...(s.rows ? [grid(s.rows)] : []), ...(s.lines || []).map(l => el('p', {}, l)));
    });
    sections.hidden = !parts.length;
    const focused = document.activeElement, within = sections.contains(focused) && focused.closest('details');
    sections.replaceChildren(el('h2', {}, 'The decision, step by step'), ...parts);
    const again = within && parts.find(p => p.dataset.title === within.dataset.title), place = again && again.querySelector(focused.localName === 'summary' ? 'summary' : '.scroll');
    if (place) {
      place.scrollLeft = left;
      place.focus({preventScroll: true});
    }
  }

  function draw() {
    const r = data.row, first = (data.sections || [{}])[0].lines || [];
    title.replaceChildren(el('h1', {}, name), ...(r ? [pill(r.state)] : []), el('span', {className: 'quiet'}, `${ns} · ${r ? r.kind : kind}`));
    lead.replaceChildren(...(data.problem ? [el('span', {className: 'problem'}, data.problem)] : [(r && r.why) || first.slice(1, 3).map(s => s.trim()).join('. ') || 'It is not scaled by mini-hpa, or not there.']));
    page.hidden = !r && !data.sections;
    const pair = (dt, dd, small) => el('div', {}, el('dt', {}, dt), el('dd', {}, dd, el('small', {}, small || '')));
    numbers.replaceChildren(...(r ? [pair('Replicas', String(r.replicas), r.ready !== r.replicas ? ` ${r.ready} ready` : ''), ...(r.wants !== undefined ? [pair('Wanted', String(r.wants))] : []),
      ...(r.max !== undefined ? [pair('Bounds', `${r.min} – ${r.max}`)] : []), ...(r.targets || []).map(t => pair(t.metric, t.value, t.target ? ' / ' + t.target : ''))] : []));
    const list = outlooks(r).map(l => el('li', {}, l)), c = (data.changes || []).slice().reverse();
    outlook.hidden = !list.length;
    outlook.replaceChildren(el('h2', {}, 'What would change it'), el('ul', {}, ...list));
    changes.hidden = !c.length;
    changes.replaceChildren(el('h2', {}, 'What has happened'), el('ul', {}, ...c.map(e => el('li', {}, ago(e.time), ` ago: ${e.from !== e.to ? `${e.from || 0} → ${e.to || 0}, ` : ''}${e.message} `, el('span', {className: 'quiet'}, e.reason)))));
    settings();
    explained();
    idle();
    picturing();
  }

  follow(`/stream/w/${url}`, 'view', v => {
    if (v.view) { data = v.view; data.series = series(); draw(); }
  });
  new ResizeObserver(() => { if (data.series) picturing(); }).observe(picture);
}

// --- the controller

function controller() {
  const checks = el('tbody'), facts = el('tbody'), asked = el('p', {className: 'quiet'}, 'Asking the cluster …');
  const card = el('div', {className: 'card', hidden: true}, el('table', {className: 'checks', 'aria-label': 'Checks'}, checks)), told = el('div', {className: 'card', hidden: true}, el('h2', {}, 'What it says of itself'), el('table', {className: 'facts'}, facts));
  const found = el('tbody'), state = el('p', {className: 'quiet', role: 'status'}), again = el('button', {type: 'button', onclick: examine}, 'Look again');
  const doctor = el('div', {className: 'card', hidden: true}, el('h2', {}, 'What mini-hpa doctor finds'), el('table', {className: 'checks found', 'aria-label': 'Findings'}, found), state, again);
  main.append(el('div', {className: 'title'}, el('h1', {}, 'Controller')), asked, card, doctor, told);
  const words = {good: 'ok', warn: 'look', bad: 'fail', off: 'unknown'}, time = iso => new Date(iso).toLocaleString();
  const short = ns => { const s = ns / 1e9; return s % 60 || !s ? s + 's' : s / 60 + 'm'; };

  // checked are the questions, each with its answer, and a command that shows more where there is something to do.
  function checked(s) {
    const h = s.head, [home, release] = head.lease.split('/'), all = [];
    if (h) all.push(['good', 'controller', `${s.holder} leads and answers`]);
    else if (s.vacancy) all.push(['bad', 'controller', s.vacancy + ': nothing will be scaled', typed('kubectl get', 'pods,leases -n ' + home)]);
    else all.push([s.holder ? 'warn' : 'off', 'controller', (s.holder ? s.holder + ' leads, and cannot be asked: ' : 'it is not known whether one leads: ') + (s.why || '')]);
    const l = s.lease, renewed = l && l.renewTime ? Date.parse(l.renewTime) : 0;
    if (!l) all.push(['off', 'Lease', s.leaseError]);
    else all.push([l.holderIdentity && now() - renewed < 30000 ? 'good' : 'bad', 'Lease', l.holderIdentity ? `held by ${l.holderIdentity}, renewed ${age(now() - renewed)} ago` : 'held by nobody']);
    if (h && h.metricsError) all.push(['bad', 'metrics', h.metricsError, typed('kubectl get', 'apiservice v1beta1.metrics.k8s.io')]);
    else if (h) all.push(h.newest ? [now() - Date.parse(h.newest) < 60000 ? 'good' : 'warn', 'metrics', `the newest sample is ${age(now() - Date.parse(h.newest))} old`] : ['warn', 'metrics', 'there is no sample yet', typed('kubectl top pods', '-A')]);
    all.push(s.webhookError ? ['off', 'webhook', s.webhookError, typed('mini-hpa selftest', release === 'mini-hpa' ? '' : '--webhook-configuration=' + release)] : [Date.parse(s.until) > now() ? 'good' : 'bad', 'webhook', 'its newest CA is valid until ' + time(s.until)]);
    return all;
  }

  // flags are the leader's, and its build.
  function flags(h) {
    const d = h.defaults, r = h.rules;
    return [['version', h.version], ['identity', h.identity], ['works in', h.namespace ? 'namespace ' + h.namespace : 'all namespaces'],
      ['scales', ['Deployments', 'StatefulSets', 'ReplicaSets', ...(h.kinds || []).map(k => `${k.Resource}.${k.Group}`)].join(', ')],
      ['--sync-period', short(d.SyncPeriod)], ['--tolerance', d.Tolerance], ['--downscale-stabilization', short(d.ScaleDownStabilization)], ['--default-warm-up', short(d.WarmUp)],
      ['--cpu-initialization-period', short(r.CPUInitializationPeriod)], ['--initial-readiness-delay', short(r.InitialReadinessDelay)], ['--hpa-compat', String(!!r.Compat)]];
  }

  // examine asks for what doctor finds: when the page is opened, and when somebody wants it.
  async function examine() {
    again.disabled = true;
    state.textContent = 'Looking …';
    let answer;
    try {
      const reply = await fetch(keyed('/doctor'));
      answer = reply.ok ? await reply.json() : {problem: await reply.text()};
    } catch (e) {
      answer = {problem: '“mini-hpa dashboard” does not answer: ' + e.message};
    }
    const looks = {ok: 'good', FAIL: 'bad'};
    found.replaceChildren(...(answer.lines || []).map(l => el('tr', {}, el('td', {}, el('span', {className: 'state ' + (looks[l.word] || 'off')}, l.word.toLowerCase())), el('td', {}, l.text))));
    state.textContent = clean([answer.problem, answer.more ? `There are ${answer.more} more.` : ''].filter(Boolean).join('. '));
    again.disabled = false;
  }

  follow('/stream/system', 'view', v => {
    const s = v.view;
    if (!s) return;
    if (doctor.hidden) { // by now it is known how the workloads stand
      doctor.hidden = false;
      examine();
    }
    asked.hidden = true;
    card.hidden = false;
    checks.replaceChildren(...checked(s).map(([level, what, seen, command]) => el('tr', {}, el('td', {}, el('span', {className: 'state ' + level}, words[level])), el('th', {scope: 'row'}, what), el('td', {}, seen || '', ...some(command, el('code', {}, command || ''))))));
    told.hidden = !s.head;
    facts.replaceChildren(...(s.head ? flags(s.head) : []).map(f => el('tr', {}, ...f.map(c => el('td', {}, c)))));
  });
}

for (const a of document.querySelectorAll('nav a')) {
  if (a.pathname === location.pathname) a.setAttribute('aria-current', 'page');
}
if (location.pathname.startsWith('/w/')) workload();
else if (location.pathname === '/system') { document.title = 'Controller · mini-hpa'; controller(); } else fleet();
