// The grid: pages of hits, more of which are asked for as one scrolls.

import { $, element } from './dom.js';
import * as router from './router.js';
import { monthOf, skeletons, tile } from './tile.js';
import { say } from './words.js';

/** Lists that are kept, so that Back shows them at once. */
const KEPT = 6;
/** How far below the window pictures are asked for, in pixels. */
const AHEAD = 1200;

const lists = new Map();
let list = null;
/** Counts lists, so that a late answer about an older one is dropped. */
let turn = 0;
let tell = () => {};

/** Says what to do with errors. */
export function setUp(onError) {
  tell = onError;
  new IntersectionObserver((entries) => entries.some((entry) => entry.isIntersecting) && fill(), {
    rootMargin: `${AHEAD}px`,
  }).observe($('more'));
  $('grid').addEventListener('click', (event) => {
    const link = event.target.closest('a');
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    router.go({ ...router.here(), photo: link.dataset.asset });
  });
  $('grid').addEventListener('keydown', walk);
}

/**
 * Shows a list: from what is kept of it, unless it is to be fresh, else from its source (see views.js). With a count, so
 * many pictures at least.
 */
export async function show(key, source, { count = 0, fresh = false } = {}) {
  turn += 1;
  list = (!fresh && lists.get(key)) || { hits: [], next: undefined, ended: false, found: null, notes: [], loading: false };
  list.source = source;
  lists.delete(key);
  lists.set(key, list);
  if (lists.size > KEPT) lists.delete(lists.keys().next().value);
  $('grid').replaceChildren();
  $('summary').textContent = '';
  append(list.hits);
  summarise();
  await fill(count);
}

/** The hit of an asset, if it is in the list so far. */
export const hitOf = (id) => list?.hits.find((hit) => hit.asset.id === Number(id)) ?? null;

/** The hit that lies so many places from an asset's; more are asked for if need be. */
export async function neighbour(id, by) {
  const place = () => list?.hits.findIndex((hit) => hit.asset.id === Number(id)) ?? -1;
  if (place() < 0) return null;
  if (place() + by >= list.hits.length) await more();
  return list.hits[place() + by] ?? null;
}

/** Is there something so many places from an asset? */
export function hasNeighbour(id, by) {
  const place = list?.hits.findIndex((hit) => hit.asset.id === Number(id)) ?? -1;
  return place >= 0 && place + by >= 0 && (place + by < list.hits.length || !list.ended);
}

/** Puts the keyboard's focus on an asset's tile. */
export const focus = (id) => $('grid').querySelector(`a[data-asset="${id}"]`)?.focus();

/** Says everything again after the language changed. */
export function again() {
  $('grid').replaceChildren();
  append(list?.hits ?? []);
  summarise();
}

/** Shows what has come to the list meanwhile, at once and without skeletons. */
export async function refresh() {
  const [mine, asked] = [turn, list];
  if (!asked || asked.loading) return;
  const page = await asked.source.fetchPage(undefined);
  if (mine !== turn || asked.loading) return;
  Object.assign(asked, { hits: page.hits, next: page.next, ended: !page.next, found: page.found, notes: page.notes });
  $('grid').replaceChildren();
  append(asked.hits);
  summarise();
  await fill();
}

/** Asks for pages until there are `count` hits, and until the window is full. */
async function fill(count = 0) {
  const mine = turn;
  const room = () => $('more').getBoundingClientRect().top < innerHeight + AHEAD;
  while (mine === turn && list && !list.ended && !list.loading && !$('pictures').hidden && (list.hits.length < count || room())) {
    await more();
  }
}

/** Asks for the next page, if there is one. */
async function more() {
  const mine = turn;
  const asked = list;
  if (asked.ended || asked.loading) return;
  asked.loading = true;
  $('grid').setAttribute('aria-busy', 'true');
  lastTiles().append(...skeletons(asked.found === null ? 24 : asked.found - asked.hits.length));
  try {
    const page = await asked.source.fetchPage(asked.next);
    asked.hits.push(...page.hits);
    Object.assign(asked, { next: page.next, ended: !page.next });
    asked.found ??= page.found;
    asked.notes = page.notes;
    if (mine !== turn) return;
    append(page.hits);
    summarise();
    tell(null);
    router.keep({ count: asked.hits.length });
  } catch (error) {
    asked.ended = true;
    // Another visit tries again.
    lists.clear();
    if (mine === turn) tell(error);
  } finally {
    asked.loading = false;
    if (mine === turn) {
      $('grid').querySelectorAll('.skeleton').forEach((node) => node.remove());
      $('grid').setAttribute('aria-busy', 'false');
    }
  }
}

function summarise() {
  if (!list || (list.hits.length === 0 && !list.ended)) return;
  const notes = list.notes.map((note) => say(`note_${note.code}`) ?? note.message);
  // A list that could not be asked for has no number.
  $('summary').textContent = [list.source.summary(list.found ?? list.hits.length), ...notes].join(' · ');
}

/** The tiles that the next hit belongs to, unless it begins another month. */
const lastTiles = () => $('grid').querySelector('section:last-child ul') ?? section('');

/** Where nothing was searched for, pictures come by time, and stand under their months. */
function append(hits) {
  $('grid').querySelectorAll('.skeleton').forEach((node) => node.remove());
  for (const hit of hits) {
    const month = hit.reason === 'filter' ? monthOf(hit.asset) : '';
    const last = $('grid').querySelector('section:last-child');
    const fits = last && (last.dataset.month === month || last.querySelector('li') === null);
    if (!fits || last.dataset.month !== month) {
      if (fits) last.remove();
      section(month);
    }
    lastTiles().append(tile(hit, month === ''));
  }
}

function section(month) {
  const tiles = element('ul', { className: 'tiles' });
  const made = element('section', { dataset: { month } }, ...(month ? [element('h2', {}, month)] : []), tiles);
  $('grid').append(made);
  return tiles;
}

/** Arrows walk from tile to tile, also from month to month. */
function walk(event) {
  const from = event.target.closest('a');
  const tiles = [...$('grid').querySelectorAll('a')];
  const place = tiles.indexOf(from);
  const target = {
    ArrowRight: () => tiles[place + 1],
    ArrowLeft: () => tiles[place - 1],
    ArrowDown: () => nearest(from, tiles.slice(place + 1)),
    ArrowUp: () => nearest(from, tiles.slice(0, place).reverse()),
    Home: () => tiles[0],
    End: () => tiles.at(-1),
  }[event.key]?.();
  if (!target) return;
  event.preventDefault();
  target.focus();
}

/** The tile in the next row that lies nearest, of tiles in order of their distance. */
function nearest(from, tiles) {
  const { left, top } = from.getBoundingClientRect();
  const off = (node) => Math.abs(node.getBoundingClientRect().left - left);
  const first = tiles.find((node) => Math.abs(node.getBoundingClientRect().top - top) > 1);
  if (!first) return undefined;
  const row = first.getBoundingClientRect().top;
  const start = tiles.indexOf(first);
  const length = tiles.slice(start).findIndex((node) => Math.abs(node.getBoundingClientRect().top - row) > 1);
  return tiles.slice(start, length < 0 ? undefined : start + length).reduce((best, node) => (off(node) < off(best) ? node : best));
}
