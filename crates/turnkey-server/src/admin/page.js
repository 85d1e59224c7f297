// The admin page: asks once a second what there is to see, and shows it. Rates and percentiles are of what came in between.
// What a guest or a client has written is only ever put in as text.
'use strict';

const EVERY_MS = 1000;
const POINTS = 60;
const SVG = 'http://www.w3.org/2000/svg';

const element = (id) => document.getElementById(id);
const show = (id, text) => { element(id).textContent = text; };

// One element of text, or of others.
function made(name, content, kind) {
  const node = document.createElement(name);
  if (kind) node.className = kind;
  for (const part of [].concat(content)) node.append(part);
  return node;
}

const count = (number) => number.toLocaleString('en');

function bytes(number) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  for (; number >= 1024 && unit < units.length - 1; unit += 1) number /= 1024;
  return `${number.toFixed(unit && number < 100 ? 1 : 0)} ${units[unit]}`;
}

function duration(us) {
  if (us === null) return '–';
  const [number, unit] = us < 1000 ? [us, 'µs'] : us < 1e6 ? [us / 1e3, 'ms'] : [us / 1e6, 's'];
  return `${number.toFixed(number < 10 ? 1 : 0)} ${unit}`;
}

function uptime(ms) {
  const s = Math.max(0, Math.floor(ms / 1000));
  const [d, h, m] = [Math.floor(s / 86400), Math.floor(s / 3600) % 24, Math.floor(s / 60) % 60];
  return d ? `up ${d} d ${h} h` : h ? `up ${h} h ${m} min` : m ? `up ${m} min ${s % 60} s` : `up ${s} s`;
}

// Within a bucket, requests are taken to be spread evenly; beyond the last bound, that bound is what is known.
function percentile(bounds, counts, share) {
  const all = counts.reduce((sum, more) => sum + more, 0);
  if (all === 0) return null;
  let before = 0;
  for (let place = 0; place < bounds.length; place += 1) {
    if (before + counts[place] >= all * share) {
      const from = place ? bounds[place - 1] : 0;
      return from + (bounds[place] - from) * (all * share - before) / counts[place];
    }
    before += counts[place];
  }
  return bounds[bounds.length - 1];
}

// Lines through what there is of the last points, on one scale; gaps are where there was nothing to measure.
function draw(id, lines) {
  const most = Math.max(1e-9, ...lines.flatMap((line) => line.points.map((point) => point ?? 0)));
  const at = (value, place) => `${(place * 120 / (POINTS - 1)).toFixed(2)},${(39 - 36 * value / most).toFixed(2)}`;
  const shapes = [];
  const shape = (name, kind, points) => {
    const node = document.createElementNS(SVG, name);
    node.setAttribute('class', kind);
    node.setAttribute('points', points.join(' '));
    shapes.push(node);
  };
  for (const { kind, points, filled } of lines) {
    const first = POINTS - points.length;
    const drawn = points.flatMap((point, place) => (point === null ? [] : [at(point, first + place)]));
    if (drawn.length < 2) continue;
    if (filled) {
      const [from, to] = [drawn[0], drawn[drawn.length - 1]].map((point) => point.split(',')[0]);
      shape('polygon', kind, [`${from},40`, ...drawn, `${to},40`]);
    }
    shape('polyline', kind, drawn);
  }
  element(id).replaceChildren(...shapes);
}

// Names and counts, those that there are.
function list(id, counts) {
  const rows = Object.entries(counts).filter(([, number]) => number > 0);
  const items = rows.map(([name, number]) => made('li', [made('span', name), made('b', count(number))]));
  element(id).replaceChildren(...(items.length ? items : [made('li', 'none', 'none')]));
}

function when(ms) {
  const node = made('time', new Date(ms).toLocaleTimeString());
  node.dateTime = new Date(ms).toISOString();
  return node;
}

function last(id, items) {
  element(id).replaceChildren(...(items.length ? items : [made('li', 'nothing', 'none')]));
}

function refusal({ at_ms, count: times, call, asked, grant }) {
  const what = [when(at_ms), made('code', call), ' asked for ', made('code', asked), times > 1 ? ` (${count(times)} times)` : ''];
  return made('li', [...what, made('span', ['allowed by: ', made('code', grant)], 'grant')]);
}

const rates = [];
const p50s = [];
const p99s = [];
let before = null;

function push(points, point) {
  points.push(point);
  if (points.length > POINTS) points.shift();
}

function take(now) {
  const requests = Object.values(now.requests).reduce((sum, more) => sum + more, 0);
  const { bounds_us: bounds, counts } = now.durations;
  if (before && before.now.began_ms === now.began_ms && now.now_ms > before.now.now_ms) {
    const between = counts.map((number, place) => number - before.now.durations.counts[place]);
    push(rates, (requests - before.requests) * 1000 / (now.now_ms - before.now.now_ms));
    push(p50s, percentile(bounds, between, 0.5));
    push(p99s, percentile(bounds, between, 0.99));
    const rate = rates[rates.length - 1];
    show('rate', rate.toLocaleString('en', { maximumFractionDigits: rate < 10 ? 1 : 0 }));
    // When nothing came, what is known is what was before.
    const known = (points) => points.findLast((point) => point !== null) ?? null;
    show('p50', duration(known(p50s)));
    show('p99', duration(known(p99s)));
    draw('rate-line', [{ kind: 'p50', points: rates, filled: true }]);
    draw('latency-line', [{ kind: 'p99', points: p99s }, { kind: 'p50', points: p50s }]);
  }
  before = { now, requests };

  element('state').className = now.is_ending ? 'bad' : '';
  show('state', now.is_ending ? 'ending' : 'serving');
  show('uptime', uptime(now.now_ms - now.began_ms));
  show('requests', count(requests));
  show('in-flight', count(now.in_flight));
  show('waiting', count(now.waiting));
  show('instances', count(now.instances));
  element('instances').title = `at most ${count(now.most_instances)} of each component`;
  show('instances-made', count(now.instances_made));
  show('connections', count(now.connections));
  show('memory', bytes(now.resident_bytes));
  show('sent', bytes(now.response_bytes));
  list('classes', now.requests);
  list('failures', now.failures);
  list('limits', now.limits);
  last('last-refusals', now.last_refusals.map(refusal));
  last('last-faults', now.last_faults.map(({ at_ms, what }) => made('li', [when(at_ms), made('span', what)])));
}

async function look() {
  try {
    const response = await fetch('status.json', { cache: 'no-store', signal: AbortSignal.timeout(5 * EVERY_MS) });
    if (!response.ok) throw new Error(response.statusText);
    take(await response.json());
  } catch {
    // Whoever has ended answers no more.
    element('state').className = 'bad';
    show('state', 'not reachable');
  }
  setTimeout(look, EVERY_MS);
}

look();
