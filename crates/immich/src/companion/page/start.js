// Looks at the page whenever it changes.

// A search for text without a word of it finds nothing; the page says what to write.
let hinted = '';
let hintNote = null;
const hint = safely(() => {
  const wanted = location.pathname === '/search' && asksForNothing() ? location.search : '';
  if (wanted === hinted) return;
  hinted = wanted;
  hintNote?.remove();
  hintNote = null;
  if (!wanted) return;
  hintNote = toast('ocr');
  hintNote.say(...words().hint);
});

// Jobs that run are told as soon as there is a session: at once, or after somebody has logged in.
// Where nothing can be done again, there are none, unless this tab knows of one.
const hasJobs = named.some(Boolean) || expected.size > 0;
let followed = false;
const followOnce = () => {
  if (followed || !hasSession() || !hasJobs) return;
  followed = true;
  follow();
};

// Often asked, seldom done: ten times a second at most.
let planned = false;
const look = safely(() => {
  if (planned) return;
  planned = true;
  setTimeout(() => {
    planned = false;
    menus();
    marks();
    hint();
    placeNotes();
    anchors();
    followOnce();
  }, 100);
});

// Immich refuses vectors while its own search by them is off.
const offer = safely(async () => {
  const ask = () => fetch('/api/server/features').then((answer) => answer.json());
  const features = named.includes('clip') ? await ask().catch(complain) : null;
  again = named.filter((kind) => kind === 'ocr' || (kind === 'clip' && features?.smartSearch));
  look();
});

safely(() => {
  new MutationObserver(look).observe(document.documentElement, {
    childList: true,
    subtree: true,
    attributes: true,
    attributeFilter: ['aria-activedescendant', 'aria-checked', 'lang', 'src'],
  });
  addEventListener('popstate', look);
  document.addEventListener('visibilitychange', () => !document.hidden && timer && follow());
  look();
  offer();
})();
