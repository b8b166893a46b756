// Searches by a picture that is dropped on the page, pasted or chosen. It is sent along with the search, and kept by nobody but this page.

import * as api from './api.js';
import { $ } from './dom.js';
import * as router from './router.js';
import { smaller } from './shrink.js';
import { addSource } from './views.js';
import { say, sayCode } from './words.js';

/** Pictures that were searched by, by their number in the address. */
const pictures = new Map();
let last = 0;
let tell = () => {};

/** Joins it; `onError(error)` tells what went wrong. */
export function setUp(onError) {
  tell = onError;
  addSource('picture', ({ picture, name }) => ({
    fetchPage: () => search(picture),
    summary: () => say('likePicture', { name: name ?? '' }),
  }));
  $('by-picture').addEventListener('click', () => $('picture-file').click());
  $('picture-file').addEventListener('change', () => {
    take($('picture-file').files);
    $('picture-file').value = '';
  });
  addEventListener('paste', (event) => {
    if (!event.target.closest?.('input, textarea')) take(event.clipboardData?.files);
  });
  dropping();
}

function dropping() {
  const hasFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes('Files');
  const busy = () => document.querySelector('dialog[open]:not(#viewer)');
  /** Leaving a part for one within it is no leaving. */
  let depth = 0;
  const show = (on) => { $('drop').hidden = !on; };
  addEventListener('dragenter', (event) => {
    if (!hasFiles(event) || busy()) return;
    event.preventDefault();
    depth += 1;
    show(true);
  });
  addEventListener('dragleave', () => {
    depth = Math.max(depth - 1, 0);
    if (depth === 0) show(false);
  });
  addEventListener('dragover', (event) => { if (hasFiles(event)) event.preventDefault(); });
  addEventListener('drop', (event) => {
    depth = 0;
    show(false);
    if (!hasFiles(event)) return;
    event.preventDefault();
    if (!busy()) take(event.dataTransfer.files);
  });
}

async function take(files) {
  const [file] = files ?? [];
  if (!file) return;
  try {
    const picture = await smaller(file);
    last += 1;
    // Numbers of this visit: after another start of the page they lead to nothing.
    const number = `${Math.round(performance.timeOrigin)}-${last}`;
    pictures.set(number, picture);
    await router.go({ picture: number, name: file.name });
  } catch (error) {
    tell(error);
  }
}

async function search(number) {
  const picture = pictures.get(number);
  if (!picture) throw new api.Refused({ code: 'picture_forgotten', detail: sayCode('picture_forgotten') });
  return api.byPicture(picture);
}

/** Shows the picture that was searched by, beside what was found. */
export function present(place) {
  const picture = pictures.get(place.picture);
  $('asked').hidden = !picture;
  if ($('asked-picture').src) URL.revokeObjectURL($('asked-picture').src);
  if (picture) $('asked-picture').src = URL.createObjectURL(picture);
  else $('asked-picture').removeAttribute('src');
}
