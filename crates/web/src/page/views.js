// What can be shown below a picture: lists of pictures, and pages of their own. Modules that bring one say so here.

const sources = new Map();
const views = new Map();

/**
 * A list of pictures behind a parameter of the address. `make(place)` answers
 * `{ fetchPage(cursor), summary(count) }`: the first fetches a page of hits, the second makes a sentence of their number.
 */
export function addSource(parameter, make) {
  sources.set(parameter, make);
}

/**
 * A page behind `?view=NAME`, instead of the grid: `element` is shown as long as it is there,
 * `show(place)` fills it, `title()` names it.
 */
export function addView(name, view) {
  views.set(name, view);
}

/** The list that a place asks for, if it asks for one. */
export function sourceOf(place) {
  const found = [...sources].find(([parameter]) => parameter in place);
  return found?.[1](place);
}

/** The page that a place asks for, if it asks for one. */
export const viewOf = (place) => views.get(place.view);

/** All pages. */
export const allViews = () => views.values();
