// Joins the parts: search box, grid, viewer, progress.

import * as api from './api.js';
import { $, element } from './dom.js';
import * as empty from './empty.js';
import { enter } from './entrance.js';
import * as grid from './grid.js';
import * as viewer from './viewer.js';
import { choose, current, say, translate } from './words.js';

const BUSY_MS = 2000;
const CALM_MS = 15000;

let similarTo = null;

function tell(error) {
  if (error?.code === 'catalogue_absent') {
    showEmpty();
    return;
  }
  $('problem').hidden = !error;
  $('query').setAttribute('aria-invalid', String(Boolean(error?.code?.startsWith('query_'))));
  if (!error) return;
  $('problem').textContent = error instanceof api.Refused ? error.message : say('offline');
  // The character the error points at.
  if (error.character !== undefined) $('query').setSelectionRange(error.character, error.character + 1);
}

/** How to add a folder, until there are pictures. */
function showEmpty() {
  api.status().then((status) => empty.show($('empty'), status, showAddress)).catch(tell);
  return '';
}

/** The page of what the address says: a search, pictures like one, or all. */
async function showAddress() {
  const wanted = new URLSearchParams(location.search);
  const q = wanted.get('q') ?? '';
  empty.hide($('empty'));
  $('query').value = q;
  similarTo = wanted.has('similar') ? { id: wanted.get('similar'), name: wanted.get('name') ?? '' } : null;
  document.title = q ? `${q} – Viewfinder` : 'Viewfinder';
  if (similarTo) {
    const { id, name } = similarTo;
    await grid.show((cursor) => api.similar(id, cursor), () => say('similarTo', { name }));
    return;
  }
  const summary = q
    ? (n) => say(n === 0 ? 'none' : 'found', { n })
    : (n) => (n === 0 ? showEmpty() : say('all', { n: counts?.assets ?? n }));
  await grid.show((cursor) => api.search(q, cursor), summary);
}

function go(parameters) {
  const search = new URLSearchParams(parameters).toString();
  history.pushState(null, '', search ? `/photos?${search}` : '/photos');
  return showAddress();
}

let counts = null;

async function watchWork() {
  let pause = CALM_MS;
  try {
    const state = await api.status();
    counts = state.counts;
    const waiting = state.waiting;
    $('work').hidden = waiting === 0 && state.failed === 0;
    $('work-bar').hidden = waiting === 0;
    $('work-bar').value = counts.assets > 0 ? 1 - waiting / counts.assets : 1;
    $('work-text').textContent = waiting > 0 ? say('working', { done: counts.assets - waiting, all: counts.assets }) : '';
    $('failures-open').hidden = state.failed === 0;
    $('failures-open').textContent = say('failed', { n: state.failed });
    if (waiting > 0) pause = BUSY_MS;
  } catch {
    // The grid tells about a lost connection; this is only a progress bar.
    $('work').hidden = true;
  }
  setTimeout(watchWork, pause);
}

async function showFailures() {
  const { assets } = await api.failures();
  $('failure-list').replaceChildren(...assets.map((asset) => {
    const reasons = ['ocr', 'clip', 'faces'].filter((kind) => asset.analysis[kind].state === 'failed')
      .map((kind) => `${say(kind)}: ${asset.analysis[kind].message}`);
    return element('li', {}, element('strong', {}, asset.path), element('span', {}, [...new Set(reasons)].join('; ')));
  }));
  $('failures').showModal();
}

function sayEverything() {
  translate();
  $('query').placeholder = say('placeholder');
  $('help-rows').replaceChildren(...say('helpRows').map(([what, meaning]) =>
    element('tr', {}, element('td', {}, element('code', {}, what)), element('td', {}, meaning))));
}

$('language').value = current();
$('language').addEventListener('change', () => {
  choose($('language').value);
  sayEverything();
  viewer.again();
  showAddress();
});
$('search').addEventListener('submit', (event) => {
  event.preventDefault();
  const q = $('query').value.trim();
  go(q ? { q } : {});
});
// The small cross of a search field empties it without submitting.
$('query').addEventListener('search', () => { if ($('query').value === '') go({}); });
$('help-open').addEventListener('click', () => $('help').showModal());
$('failures-open').addEventListener('click', showFailures);
addEventListener('popstate', showAddress);
addEventListener('keydown', (event) => {
  if (event.key === '/' && !event.target.matches('input, textarea, select') && !document.querySelector('dialog[open]')) {
    event.preventDefault();
    $('query').focus();
    $('query').select();
  }
});

// Who may not see photos any more gets a page that asks for the key; nothing goes on here.
api.onKeyWanted(() => {
  location.reload();
  return new Promise(() => {});
});
grid.setUp((place) => viewer.open(place), tell);
viewer.setUp((id, name) => go({ similar: id, name }));
sayEverything();
await enter();
await showAddress();
const linked = location.hash.slice(1);
if (/^\d+$/.test(linked)) viewer.openById(linked).catch(tell);
watchWork();
