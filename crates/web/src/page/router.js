// The browser's history. A place is what the address says, as an object of its parameters:
//
//   {}                   all pictures, newest first     /photos
//   { q }                a search                       /photos?q=…
//   { similar, name }    pictures that look like one    /photos?similar=…&name=…
//   { view }             another page, see views.js     /photos?view=…
//   { …, photo }         a picture, over any of these   /photos?q=…&photo=…
//
// Every entry of the history remembers how far its list was scrolled and how many pictures it showed.

const PAGE = '/photos';
const SETTLED_MS = 150;

let place = {};
let show = async () => {};
/** Changes that are being shown; whatever scrolls meanwhile was not scrolled by a person. */
let changing = 0;
let settling = null;

/** The place that is shown. */
export const here = () => place;

/** The address of a place. */
export function address(to) {
  const given = Object.entries(to).filter(([, value]) => value !== undefined && value !== null && value !== '');
  const search = new URLSearchParams(given).toString();
  return search ? `${PAGE}?${search}` : PAGE;
}

/** The list or page below a picture. */
export function below({ photo: _, ...list }) {
  return list;
}

/** Do two places have the same address? */
export const same = (one, other) => address(one) === address(other);

/** Goes somewhere, so that Back leads here. Going where one is shows it anew. */
export function go(to) {
  if (same(to, place)) return change(to, true);
  keepScroll();
  history.pushState({ over: Boolean(to.photo) && !place.photo }, '', address(to));
  return change(to);
}

/** Goes somewhere in place of here, as from one picture to the next. */
export function replace(to) {
  history.replaceState(history.state, '', address(to));
  return change(to);
}

/** Leaves the picture for what lies below it. */
export function close() {
  if (history.state?.over) history.back();
  else replace(below(place));
}

/** Remembers something with the place, over a reload too. */
export function keep(values) {
  history.replaceState({ ...history.state, ...values }, '');
}

/**
 * Shows the address, and every place from now on, by
 * `showPlace(to, { before, again, kept })`: before is the place left (none at first), kept what was remembered.
 */
export function start(showPlace) {
  show = showPlace;
  history.scrollRestoration = 'manual';
  addEventListener('popstate', () => change(read()));
  addEventListener('scroll', () => {
    clearTimeout(settling);
    settling = setTimeout(keepScroll, SETTLED_MS);
  }, { passive: true });
  addEventListener('pagehide', keepScroll);
  // Links of earlier versions had the picture behind a hash.
  const linked = location.hash.slice(1);
  const first = /^\d+$/.test(linked) ? { ...read(), photo: linked } : read();
  history.replaceState(history.state, '', address(first));
  place = null;
  return change(first);
}

const read = () => Object.fromEntries(new URLSearchParams(location.search));

async function change(to, again = false) {
  clearTimeout(settling);
  const before = place;
  place = to;
  changing += 1;
  try {
    await show(to, { before, again, kept: history.state ?? {} });
  } finally {
    changing -= 1;
  }
}

function keepScroll() {
  clearTimeout(settling);
  if (changing === 0 && !place?.photo) keep({ scroll: Math.round(scrollY) });
}
