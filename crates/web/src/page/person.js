// One person's page: their faces, each of which leads to its picture, and can be said not to be theirs.

import * as api from './api.js';
import { crop } from './crop.js';
import { $, element } from './dom.js';
import * as names from './names.js';
import * as router from './router.js';
import { addSource } from './views.js';
import { say } from './words.js';

let shown = null;
let actions = {};

/** Joins it: `tell(text)` says what came of something, `attempt(action)` does it. */
export function setUp(joined) {
  actions = joined;
  addSource('person', ({ person, name }) => ({
    fetchPage: (cursor) => api.picturesOf(person, cursor),
    summary: () => say('picturesWith', { name: name || say('noName') }),
  }));
}

/** The page's name; none if no person is shown. */
export const title = () => shown && (shown.name || say('noName'));

/** Shows no person. */
export function leave() {
  shown = null;
}

/** Shows a person, as long as it is the `current` one. */
export async function show(id, current) {
  $('person').setAttribute('aria-busy', 'true');
  const [person, page] = await Promise.all([api.person(id), api.facesOf(id)]);
  if (!current()) return;
  shown = person;
  document.title = `${title()} – Viewfinder`;
  head();
  $('faces').replaceChildren();
  add(page, current);
  $('person').setAttribute('aria-busy', 'false');
}

function head() {
  const [best] = shown.examples;
  $('person-face').replaceChildren(...(best ? [crop(best.crop, '')] : []));
  const field = names.nameField(shown.name, say('addName'), async (name) => {
    if (!(await actions.attempt(() => api.namePerson(shown.id, name)))) return;
    shown.name = name;
    document.title = `${title()} – Viewfinder`;
    await names.refresh();
  });
  $('person-name').replaceChildren(field);
  $('person-counts').textContent = [say('facesOf', { n: shown.faces }), say('picturesOf', { n: shown.pictures })].join(' · ');
  $('person-pictures').href = router.address({ person: shown.id, name: shown.name });
}

function add({ faces, next }, current) {
  $('faces').append(...faces.map(face));
  $('faces-more').hidden = !next;
  $('faces-more').onclick = async () => {
    $('faces-more').hidden = true;
    await actions.attempt(async () => {
      const page = await api.facesOf(shown.id, next);
      if (current()) add(page, current);
    });
  };
}

function face(of) {
  const { asset, face: place } = of;
  const link = element('a', { href: router.address({ ...router.here(), photo: asset.id }), title: asset.name }, crop(of.crop, say('openPicture', { name: asset.name })));
  const not = element('button', { type: 'button', className: 'plain', ariaLabel: `${say('notThisPerson')}: ${asset.name}` }, say('notThisPerson'));
  const item = element('li', {}, link, not);
  not.addEventListener('click', () => takeOut(item, asset.id, place));
  return item;
}

async function takeOut(item, asset, place) {
  const { id } = shown;
  if (!(await actions.attempt(() => api.rejectFace(id, asset, place)))) return;
  const next = item.nextElementSibling ?? item.previousElementSibling;
  item.remove();
  api.person(id).then((person) => {
    if (shown?.id !== id) return;
    shown = person;
    head();
  }, () => {});
  const undo = element('button', { type: 'button', className: 'plain' }, say('undo'));
  undo.addEventListener('click', async () => {
    if (await actions.attempt(() => api.assignFace(id, asset, place))) router.go(router.here());
  });
  $('people-said').replaceChildren(say('takenOut'), ' ', undo);
  (next?.querySelector('button') ?? undo).focus();
}
