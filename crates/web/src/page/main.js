// Joins the parts: header, grid, viewer, progress.

import * as api from './api.js';
import { $, element } from './dom.js';
import * as empty from './empty.js';
import { enter } from './entrance.js';
import * as faces from './faces.js';
import * as grid from './grid.js';
import * as people from './people.js';
import * as progress from './progress.js';
import * as router from './router.js';
import * as byPicture from './similar.js';
import { allViews, addSource, sourceOf, viewOf } from './views.js';
import * as viewer from './viewer.js';
import { offerLanguages, say, sayProblem, translate } from './words.js';

/** Says what went wrong; nothing, if nothing did. */
function tell(error) {
  if (error?.code === 'catalogue_absent') {
    showEmpty();
    return;
  }
  $('problem').hidden = !error;
  $('query').setAttribute('aria-invalid', String(Boolean(error?.code?.startsWith('query_'))));
  if (!error) return;
  $('problem').textContent = sayProblem(error);
  // The character the error points at.
  if (error.character !== undefined) $('query').setSelectionRange(error.character, error.character + 1);
}

/** How to add a folder, until there are pictures. The text that stands above pictures is none then. */
function showEmpty() {
  api.status().then((status) => empty.show($('empty'), status, () => router.go(router.here()))).catch(tell);
  return '';
}

addSource('similar', ({ similar, name }) => ({
  fetchPage: (cursor) => api.similar(similar, cursor),
  summary: () => say('similarTo', { name: name ?? '' }),
}));

/** A search, or all pictures. */
const searched = ({ q = '' }) => ({
  fetchPage: (cursor) => api.search(q, cursor),
  summary: (n) => (q ? say(n === 0 ? 'none' : 'found', { n }) : n === 0 ? showEmpty() : say('all', { n })),
});

async function showPlace(place, { before, again, kept }) {
  const list = router.below(place);
  const shown = before && router.below(before);
  if (place.photo) viewer.open(place.photo).catch(tell);
  else viewer.hide();
  if (again || !shown || !router.same(list, shown)) await showList(list, again ? {} : kept, again);
  if (place.photo) viewer.placed();
  else nameDocument(place);
}

async function showList(place, { scroll = 0, count = 0 }, fresh) {
  if (document.activeElement !== $('query')) $('query').value = place.q ?? '';
  const view = viewOf(place);
  for (const other of allViews()) other.element.hidden = other !== view;
  $('pictures').hidden = Boolean(view);
  byPicture.present(place);
  for (const link of document.querySelectorAll('#pages a[href^="/photos"]')) {
    if ((link.dataset.view ?? '') === (place.view ?? '')) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  tell(null);
  empty.hide($('empty'));
  const showing = view ? view.show(place) : grid.show(router.address(place), sourceOf(place) ?? searched(place), { count, fresh });
  if (scroll === 0) scrollTo(0, 0);
  await Promise.resolve(showing).catch(tell);
  if (scroll > 0) scrollTo(0, scroll);
}

function nameDocument(place) {
  const name = viewOf(place)?.title() ?? place.q ?? (place.similar || place.picture ? say('similarTo', { name: place.name ?? '' }) : '');
  document.title = name ? `${name} – Viewfinder` : 'Viewfinder';
}

function sayEverything() {
  translate();
  $('query').placeholder = say('placeholder');
  $('help-rows').replaceChildren(...say('helpRows').map(([what, meaning]) =>
    element('tr', {}, element('td', {}, element('code', {}, what)), element('td', {}, meaning))));
}

offerLanguages($('language'), () => {
  sayEverything();
  viewer.again();
  progress.again();
  grid.again();
  const place = router.here();
  viewOf(place)?.show(place);
  if (!place.photo) nameDocument(place);
});
$('search').addEventListener('submit', (event) => {
  event.preventDefault();
  const q = $('query').value.trim();
  router.go(q ? { q } : {});
});
// The small cross of a search field empties it without submitting.
$('query').addEventListener('search', () => { if ($('query').value === '') router.go({}); });
$('help-open').addEventListener('click', () => $('help').showModal());
// Links within the page change the place without loading it anew.
document.addEventListener('click', (event) => {
  const link = event.target.closest('a[href^="/photos"]');
  if (!link || event.defaultPrevented || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || link.target) return;
  event.preventDefault();
  router.go(Object.fromEntries(new URL(link.href).searchParams));
});
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
grid.setUp(tell);
viewer.setUp();
progress.setUp(() => {
  // Pictures that an index adds meanwhile are shown to whoever looks at the newest, and move nothing below a reader.
  const newest = router.same(router.here(), {}) && scrollY === 0 && !$('grid').contains(document.activeElement);
  if (newest && $('empty').hidden) grid.refresh().catch(tell);
});
people.setUp();
faces.setUp();
byPicture.setUp(tell);
sayEverything();
addEventListener('hashchange', enter);
await enter();
await router.start(showPlace);
