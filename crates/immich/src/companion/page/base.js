// Adds to Immich's page: two entries in the menus of photos, notes of the jobs that they start, and marks on text that
// was searched for. It knows Immich's page by a few anchors only. Where one is missing, nothing happens, and its name is
// told to Viewfinder (`anchors.js`); whatever else fails is told to the console, once, and to nobody.

// What can be done again; nothing until that is known.
let again = [];
const named = (document.currentScript?.dataset.again ?? '').split(' ');

const VIEWER = '#immich-asset-viewer';
const VIEWER_BAR = '[data-testid="asset-viewer-navbar-actions"]';
const ID = /\/photos\/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/i;
const MARK = 'data-viewfinder';
const SVG = 'http://www.w3.org/2000/svg';

const KINDS = {
  ocr: { job: 'refresh-ocr', icon: 'M3 5h18v2H3zM3 11h12v2H3zM3 17h8v2H3z' },
  clip: { job: 'refresh-smart-search', icon: 'M12 3 15 9l6 3-6 3-3 6-3-6-6-3 6-3z' },
};

let complained = false;
const complain = (error) => {
  if (!complained) {
    complained = true;
    console.debug('viewfinder:', error);
  }
};
const safely = (work) => (...given) => {
  try {
    const result = work(...given);
    return result instanceof Promise ? result.catch(complain) : result;
  } catch (error) {
    complain(error);
    return undefined;
  }
};

// The photo that is opened.
const shown = () => ID.exec(location.pathname)?.[1] ?? null;

// Immich says so to its page; the session itself is hidden from scripts.
const hasSession = () => /(^|;\s*)immich_is_authenticated=true/.test(document.cookie);

// Not the one that is listened to while the page is asked what is selected.
const plainFetch = window.fetch.bind(window);
const sendJson = (path, body, options = {}) =>
  plainFetch(path, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
    ...options,
  });
