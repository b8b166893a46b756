// Pictures in rows; more are asked for as one scrolls.

import { $, element, marked } from './dom.js';
import { say } from './words.js';

let hits = [];
let fetchMore = null;
let loading = false;
/** Counts searches, so that a late answer of an older one is dropped. */
let turn = 0;
let openHit = () => {};
let tell = () => {};

/** Says what to do when a picture is chosen (its place), and with errors. */
export function setUp(onOpen, onError) {
  openHit = onOpen;
  tell = onError;
  new IntersectionObserver((entries) => entries.some((entry) => entry.isIntersecting) && more(), {
    rootMargin: '800px',
  }).observe($('more'));
  $('grid').addEventListener('click', (event) => {
    const tile = event.target.closest('a');
    if (!tile || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    openHit(Number(tile.dataset.place));
  });
  $('grid').addEventListener('keydown', (event) => {
    const columns = getComputedStyle($('grid')).gridTemplateColumns.split(' ').length;
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns }[event.key];
    if (!step) return;
    const tiles = [...$('grid').querySelectorAll('a')];
    const target = tiles[tiles.indexOf(event.target.closest('a')) + step];
    if (target) {
      event.preventDefault();
      target.focus();
    }
  });
}

/** Shows the pages of `fetchPage(cursor)`; `summary` makes a sentence of their number. */
export async function show(fetchPage, summary) {
  turn += 1;
  hits = [];
  $('grid').replaceChildren();
  fetchMore = { fetchPage, summary, cursor: undefined };
  loading = false;
  $('grid').setAttribute('aria-busy', 'true');
  await more();
}

/** The hit at a place, and how many are known. */
export const at = (place) => hits[place];
export const known = () => hits.length;

/** Puts the keyboard's focus on a place. */
export const focus = (place) => $('grid').querySelector(`a[data-place="${place}"]`)?.focus();

/** Asks for the next page, if there is one. */
export async function more() {
  if (!fetchMore || loading) return;
  const mine = turn;
  const { fetchPage, summary, cursor } = fetchMore;
  loading = true;
  try {
    const page = await fetchPage(cursor);
    if (mine !== turn) return;
    $('grid').append(...page.hits.map((hit, index) => tile(hit, hits.length + index)));
    hits.push(...page.hits);
    fetchMore = page.next ? { fetchPage, summary, cursor: page.next } : null;
    const notes = page.notes.map((note) => say(`note_${note.code}`) ?? note.message);
    $('summary').textContent = [summary(page.found ?? hits.length), ...notes].join(' · ');
    tell(null);
  } catch (error) {
    if (mine !== turn) return;
    fetchMore = null;
    $('summary').textContent = '';
    tell(error);
  } finally {
    if (mine === turn) {
      loading = false;
      $('grid').setAttribute('aria-busy', 'false');
    }
  }
  // A high window may still have room.
  if (mine === turn && fetchMore && $('more').getBoundingClientRect().top < innerHeight + 800) await more();
}

function tile(hit, place) {
  const image = element('img', { src: `${hit.asset.thumbnail}&size=320`, alt: hit.asset.name, loading: 'lazy', decoding: 'async' });
  image.addEventListener('error', () => image.replaceWith(element('span', { className: 'broken' }, hit.asset.name)));
  const link = element('a', { href: `#${hit.asset.id}`, dataset: { place: String(place), asset: String(hit.asset.id) } }, image);
  const line = hit.lines[0];
  if (line) link.append(element('span', { className: 'snippet' }, ...marked(line.text, line.marks)));
  link.title = why(hit);
  return element('li', {}, link);
}

/** Why a picture was found, in words. */
export function why(hit) {
  const s = hit.similarity?.toFixed(3);
  switch (hit.reason) {
    case 'text_and_meaning': return say('byBoth', { s });
    case 'meaning': return say('byMeaning', { s });
    case 'text': return say(hit.closeness === 'mistakes' ? 'byMistake' : 'byText');
    default: return '';
  }
}
