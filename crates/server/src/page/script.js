// The status page. Everything that comes from a picture or the server is put on it as text, never as markup.

import { sayCode } from './errors.js';
import { languageTag, number, offerLanguages } from './language.js';
import { say, translate } from './words.js';

const $ = (id) => document.getElementById(id);
const svg = (name, attributes) => {
  const element = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
};
const element = (name, text, className) => {
  const created = document.createElement(name);
  if (text !== undefined) created.textContent = text;
  if (className) created.className = className;
  return created;
};

function sayEverything() {
  translate();
  $('sentences').placeholder = say('example');
}

// ---- requests; a browser without the key gets another page, which asks for it ----

async function ask(path, options) {
  const response = await fetch(path, options);
  if (response.status === 401) location.reload();
  return response;
}

// ---- status ----

function badge(state, text) {
  $('badge').dataset.state = state;
  $('badge').textContent = text;
}

function duration(seconds) {
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor(seconds / 60) % 60;
  return hours > 0 ? `${hours} h ${minutes} min` : minutes > 0 ? `${minutes} min` : `${seconds} s`;
}

function showStatus(health) {
  badge(health.ready ? 'ready' : 'bad', health.ready ? say('ready') : `${say('notReady')}: ${health.why}`);
  const facts = [
    ['provider', health.fallback ? `${health.provider} (${health.fallback})` : health.provider],
    ['workers', `${health.workers} × ${health.threads}`],
    ['waiting', `${health.queues.pictures} / ${health.queues.sentences}`],
    ['running', health.running],
    ['runtime', health.runtime_version ?? '–'],
    ['version', health.version],
    ['uptime', duration(health.uptime_s)],
  ];
  if (health.nodes.length > 0) {
    const nodes = health.nodes.map((node) => say(node.up ? 'nodeUp' : 'nodeDown', { name: node.name, n: node.in_flight }));
    facts.push(['nodes', nodes.join('; ')]);
  }
  $('facts').replaceChildren(...facts.map(([key, value]) => {
    const fact = element('div');
    fact.append(element('dt', say(key)), element('dd', String(value)));
    return fact;
  }));
  const models = health.models.map((model) => {
    const item = element('li', `${model.name} · ${model.role} `);
    item.append(element('small', say('idle', { s: model.idle_s })));
    return item;
  });
  $('models').replaceChildren(...(models.length > 0 ? models : [element('li', say('noModels'))]));
}

// What a companion adds to Immich, as far as something is missing.
function showCompanion(companion) {
  $('companion').hidden = !companion;
  if (!companion) return;
  const missing = Object.entries(companion.capabilities).filter(([, state]) => !state.on);
  const items = missing.map(([name, { reason }]) => {
    const item = element('li');
    item.append(element('strong', say('capabilities')[name] ?? name), element('span', reason));
    return item;
  });
  if (!companion.immich_up) items.unshift(element('li', say('immichDown')));
  $('capabilities').replaceChildren(...(items.length > 0 ? items : [element('li', say('allThere'))]));
}

// The rest is in the list that the page links to.
const SHOWN_FAILURES = 20;

function showFailures({ entries, failures }) {
  $('failure-count').textContent = entries > 0 ? entries : '';
  const items = failures.map((failure) => {
    const item = element('li');
    const times = failure.count > 1 ? ` × ${failure.count}` : '';
    const picture = `${number(failure.bytes)} B, SHA-256 ${failure.sha256.slice(0, 12)}…`;
    const when = new Date(failure.last).toLocaleString(languageTag());
    const message = element('span', failure.message);
    message.lang = 'en';
    item.append(
      element('strong', sayCode(failure.code, failure.code) + times),
      element('span', `${failure.code} · ${failure.task} · ${failure.model} · ${failure.engine}`),
      message,
      element('small', `${when} · ${picture}`),
    );
    item.title = failure.sha256;
    return item;
  });
  if (entries > failures.length) items.push(element('li', say('more', { n: entries - failures.length })));
  $('failures').replaceChildren(...(items.length > 0 ? items : [element('li', say('noFailures'))]));
}

async function refresh() {
  try {
    // Not ready is said with 503 and the same body.
    const health = await (await ask('/health')).json();
    showStatus(health);
    showCompanion(health.companion);
    showFailures(await (await ask(`/api/failures?limit=${SHOWN_FAILURES}`)).json());
  } catch {
    badge('bad', say('offline'));
  }
}

offerLanguages($('language'), () => {
  sayEverything();
  if (last) show(last.found, last.seconds);
  refresh();
});

async function keepRefreshing() {
  if (!document.hidden) await refresh();
  setTimeout(keepRefreshing, 3000);
}

// ---- the panel ----

let picture = null;
/** What was found in the picture, to be said again in another language. */
let last = null;
let running = null;

function message(text, bad = false) {
  $('message').textContent = text;
  $('message').classList.toggle('bad', bad);
}

function open(file) {
  if (!file) return;
  picture = file;
  URL.revokeObjectURL($('picture').src);
  $('picture').src = URL.createObjectURL(file);
  $('picture').alt = file.name || '';
  $('overlay').replaceChildren();
  $('empty').hidden = true;
  $('figure').hidden = false;
  $('again').hidden = false;
  $('drop').classList.add('filled');
  $('drop').removeAttribute('role');
  $('drop').removeAttribute('tabindex');
  analyze();
}

async function analyze() {
  if (!picture) {
    message(say('pickFirst'), true);
    return;
  }
  running?.abort();
  const mine = new AbortController();
  running = mine;
  const form = new FormData();
  form.append('image', picture);
  for (const sentence of $('sentences').value.split('\n')) {
    if (sentence.trim()) form.append('sentence', sentence.trim());
  }
  message(say('looking'));
  last = null;
  const started = performance.now();
  try {
    const response = await ask('/api/analyze', { method: 'POST', body: form, signal: mine.signal });
    const found = await response.json();
    if (!response.ok) throw new Error(sayCode(found.error.code, found.error.message));
    last = { found, seconds: (performance.now() - started) / 1000 };
    standIn(found);
    show(last.found, last.seconds);
  } catch (error) {
    if (mine.signal.aborted) return;
    show({ width: 1, height: 1, lines: [], faces: [], similarities: [], problems: {} }, 0);
    message(say('failed', { why: error.message }), true);
  }
}

/** What a browser cannot show, such as HEIC, RAW and videos, is a plain area of its size, which carries what was found. */
function standIn({ width, height }) {
  const shown = $('picture');
  if (!shown.complete || shown.naturalWidth > 0) return;
  const area = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}"><rect width="100%" height="100%" fill="#888"/></svg>`;
  URL.revokeObjectURL(shown.src);
  shown.src = URL.createObjectURL(new Blob([area], { type: 'image/svg+xml' }));
}

function show(found, seconds) {
  const problems = Object.values(found.problems).map(({ code, message: detail }) => sayCode(code, detail));
  message(say('done', { s: seconds.toFixed(2), w: found.width, h: found.height }));
  if (problems.length > 0) message(problems.join('\n'), true);

  const overlay = $('overlay');
  overlay.setAttribute('viewBox', `0 0 ${found.width} ${found.height}`);
  overlay.setAttribute('preserveAspectRatio', 'none');
  const polygons = found.lines.map((line) => svg('polygon', { class: 'line', points: line.box.map((p) => p.join(',')).join(' ') }));
  const faces = found.faces.flatMap((face) => {
    const [left, top, right, bottom] = face.box;
    const frame = svg('rect', { class: 'face', x: left, y: top, width: right - left, height: bottom - top });
    const radius = Math.max((right - left) / 50, 1);
    return [frame, ...face.landmarks.map(([x, y]) => svg('circle', { class: 'point', cx: x, cy: y, r: radius }))];
  });
  overlay.replaceChildren(...polygons, ...faces);

  $('line-count').textContent = found.lines.length > 0 ? found.lines.length : '';
  const items = found.lines.map((line, at) => {
    const item = element('li');
    item.tabIndex = 0;
    item.append(element('span', line.text), element('small', line.score.toFixed(2)));
    const light = (on) => () => polygons[at].classList.toggle('lit', on);
    for (const event of ['mouseenter', 'focus']) item.addEventListener(event, light(true));
    for (const event of ['mouseleave', 'blur']) item.addEventListener(event, light(false));
    return item;
  });
  $('lines').replaceChildren(...(items.length > 0 ? items : [element('li', say('noText'))]));

  $('face-count').textContent = found.faces.length > 0 ? found.faces.length : '';
  const scores = found.faces.map((face) => face.score.toFixed(2)).join(', ');
  $('faces').textContent = found.faces.length > 0 ? say('faceScores', { n: found.faces.length, scores }) : say('noFaces');

  const best = Math.max(...found.similarities.map((similarity) => similarity.score));
  $('similarities').replaceChildren(...found.similarities.map(({ text, score }) => {
    const item = element('li', undefined, score === best ? 'best' : '');
    const row = element('div', undefined, 'row');
    row.append(element('span', text), element('small', score.toFixed(3)));
    const track = element('div', undefined, 'track');
    const bar = element('div', undefined, 'bar');
    // Cosines between pictures and sentences hardly pass one half, even for a perfect description.
    bar.style.width = `${Math.min(Math.max(score, 0) * 200, 100)}%`;
    track.append(bar);
    item.append(row, track);
    return item;
  }));
}

const drop = $('drop');
const choose = () => $('file').click();
drop.addEventListener('click', () => { if (!picture) choose(); });
drop.addEventListener('keydown', (event) => {
  if (!picture && (event.key === 'Enter' || event.key === ' ')) {
    event.preventDefault();
    choose();
  }
});
$('again').addEventListener('click', choose);
$('file').addEventListener('change', () => {
  open($('file').files[0]);
  $('file').value = '';
});
for (const kind of ['dragenter', 'dragover']) {
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    drop.classList.add('over');
  });
}
for (const kind of ['dragleave', 'drop']) {
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    if (kind === 'drop' || !event.relatedTarget) drop.classList.remove('over');
  });
}
document.addEventListener('drop', (event) => open(event.dataTransfer.files[0]));
document.addEventListener('paste', (event) => open([...event.clipboardData.files].find((file) => file.type.startsWith('image/'))));
$('show-lines').addEventListener('change', (event) => $('overlay').classList.toggle('no-lines', !event.target.checked));
$('show-faces').addEventListener('change', (event) => $('overlay').classList.toggle('no-faces', !event.target.checked));
$('ask').addEventListener('submit', (event) => {
  event.preventDefault();
  analyze();
});

sayEverything();
keepRefreshing();
