// What is selected in a list of photos.

// The bar of a selection, in Immich 2 and 3.
const SELECTION_BARS = '#asset-selection-app-bar, #control-bar';

// Immich's own route of jobs.
const ROUTE = '/api/assets/jobs';

// How many a bar says are selected, which it writes twice: the number alone for narrow windows, and a sentence for wide
// ones. In Immich 3 other bars have the same name; what they say is no such pair.
const counted = (bar) => {
  const texts = [...bar.querySelectorAll('p')].filter((text) => text.nextElementSibling?.matches('p'));
  const numbers = texts.map((text) => text.textContent.trim()).filter((text) => /^\d+$/.test(text));
  return Number(numbers[0] ?? 0);
};

const selectionBar = () => [...document.querySelectorAll(SELECTION_BARS)].find((bar) => counted(bar) > 0) ?? null;

// Long lists keep only what is in sight, so the selection is what was seen to be selected, and is believed only if
// it is as large as the bar says.
const selected = new Set();
const seen = (bar) => {
  if (!bar) {
    selected.clear();
    return [];
  }
  for (const photo of document.querySelectorAll('[data-asset]')) {
    const box = photo.querySelector('[role="checkbox"]');
    if (box?.getAttribute('aria-checked') === 'true') selected.add(photo.dataset.asset);
    else selected.delete(photo.dataset.asset);
  }
  return counted(bar) === selected.size ? [...selected] : [];
};

// Immich's own job for thumbnails, which is known by its picture: the one that would do no harm.
const thumbnails = (bar) =>
  menuOf(bar)?.querySelector(':scope > hr ~ li path[d^="M14.68 13.25C13.45"]')?.closest('li');

// Asks Immich's page what is selected: its own job is chosen, and its request is taken here and never sent. Should it
// take another way than this, the companion refuses it, which is told by the cookie.
const asked = (job) => new Promise((resolve) => {
  const own = window.fetch;
  let listening = true;
  const refuse = (seconds) => {
    document.cookie = `viewfinder_listening=1; path=${ROUTE}; max-age=${seconds}; samesite=strict`;
  };
  const end = (ids) => {
    listening = false;
    if (window.fetch === take) window.fetch = own;
    resolve(ids);
  };
  const take = (...given) => {
    const [target, options] = given;
    if (!listening || !String(target?.url ?? target).includes(ROUTE)) return own.apply(window, given);
    refuse(0);
    let ids = [];
    try {
      ids = JSON.parse(options.body).assetIds;
    } catch (error) {
      complain(error);
    }
    end(ids);
    // Immich's page would tell of an answer, whatever it is.
    return new Promise(() => {});
  };
  window.fetch = take;
  refuse(10);
  setTimeout(() => listening && end([]), 2000);
  job.click();
});

// What is selected; then, as after Immich's own jobs, nothing is.
const selection = async () => {
  const bar = selectionBar();
  const known = seen(bar);
  const job = bar && thumbnails(bar);
  const ids = known.length > 0 || !job ? known : await asked(job);
  if (ids.length > 0) bar?.firstElementChild?.querySelector('button')?.click();
  return ids;
};
