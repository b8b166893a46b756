// Tells Viewfinder which anchors this page lacks, by their names alone, so that its owner learns why something is
// missing.

const ANCHORS = '/_viewfinder/anchors';
// How long a page may take to show what belongs to it.
const PATIENCE = 3000;

// Since when each anchor has been missed, and what was told of it: `missing` once, and `found` once.
const missedSince = new Map();
const toldOf = new Map();
let toTell = {};

const expectAnchor = (name, isWanted, isThere) => {
  const told = toldOf.get(name);
  if (isThere ? told === 'found' : told) return;
  if (!isThere && !isWanted) {
    missedSince.delete(name);
    return;
  }
  if (!isThere) {
    if (!missedSince.has(name)) {
      missedSince.set(name, Date.now());
      setTimeout(look, PATIENCE);
    }
    if (Date.now() - missedSince.get(name) < PATIENCE) return;
  }
  const state = isThere ? 'found' : 'missing';
  toldOf.set(name, state);
  (toTell[state] ??= []).push(name);
};

// Is the photo of this address opened? What else is there may be a message that it is not.
const isOpened = (id) => {
  if (document.querySelector(VIEWER)) return true;
  const isLarge = (image) => image.clientWidth > innerWidth / 2 || image.clientHeight > innerHeight / 2;
  return [...document.querySelectorAll(`img[src*="${id}"]`)].some(isLarge);
};

// Pages on which a selection is nothing but a selection: in albums, photos are also picked to be added.
const LISTS = ['/photos', '/favorites', '/archive', '/search'];

const anchors = safely(() => {
  if (!hasSession() || /^\/(share|s)\//.test(location.pathname)) return;
  const id = shown();
  const toolbar = document.querySelector(`${VIEWER} ${VIEWER_BAR}`);
  // A slide show needs no toolbar, and fills the screen.
  const isViewing = Boolean(id) && !document.fullscreenElement && isOpened(id);
  expectAnchor('viewer_menu', isViewing, id && toolbar?.querySelector(MENU_BUTTON));
  const bar = selectionBar();
  const chosen = document.querySelectorAll('[data-asset] [role="checkbox"][aria-checked="true"]');
  const isSelecting = !id && LISTS.includes(location.pathname) && chosen.length > 1;
  // Without a line in it, the menu is one for photos of others.
  expectAnchor('selection_menu', isSelecting && !bar, bar && menuOf(bar));
  const isMarking = marked.length > 0;
  expectAnchor('marks', isMarking, isMarking && document.querySelector(`${VIEWER} img`));
  if (Object.keys(toTell).length > 0) {
    sendJson(ANCHORS, toTell, { keepalive: true }).catch(complain);
    toTell = {};
  }
});
