// The page of people: who there is, with faces to know them by. Several can be chosen, to be named or merged at once. One person's page
// is person.js.

import * as api from './api.js';
import { crop } from './crop.js';
import { $, element } from './dom.js';
import { askToMerge } from './merge.js';
import * as names from './names.js';
import * as person from './person.js';
import * as router from './router.js';
import { addView } from './views.js';
import { say, sayProblem } from './words.js';

/** Whoever was seen once is mostly a passer-by. */
const OFTEN = 2;

const chosen = new Map();
/** Counts what was shown, so that a late answer about an earlier page is dropped. */
let turn = 0;
/** Are those shown too who were seen once? */
let everybody = false;

/** Joins the page. */
export function setUp() {
  addView('people', { element: $('people-page'), show, title: () => person.title() ?? say('people') });
  $('chosen-form').addEventListener('submit', (event) => {
    event.preventDefault();
    nameChosen();
  });
  $('chosen-merge').addEventListener('click', () => merge([...chosen.values()]));
  $('chosen-none').addEventListener('click', unchoose);
  person.setUp({ tell, attempt });
}

async function show(place) {
  turn += 1;
  const mine = turn;
  tell('');
  unchoose();
  names.refresh().catch(() => {});
  $('people-list').hidden = Boolean(place.person);
  $('person').hidden = !place.person;
  if (place.person) return person.show(place.person, () => mine === turn);
  person.leave();
  await fill(mine);
}

async function fill(mine) {
  const named = section($('named'), { named: true }, () => mine === turn);
  const unnamed = section($('unnamed'), { named: false, least: everybody ? 1 : OFTEN }, () => mine === turn);
  const [some, others] = await Promise.all([named, unnamed]);
  if (mine !== turn) return;
  $('named-part').hidden = some === 0;
  $('unnamed-part').hidden = others === 0 && everybody;
  $('people-hint').textContent = say(some + others > 0 ? 'peopleHint' : everybody ? 'peopleNone' : 'peopleOnce');
  const once = $('once');
  once.hidden = everybody;
  once.onclick = () => {
    everybody = true;
    show(router.here());
  };
}

/** Shows the first page of some people, and more on request; how many came. */
async function section(list, which, current) {
  list.setAttribute('aria-busy', 'true');
  const add = async (cursor) => {
    const { people, next } = await api.people({ ...which, cursor });
    if (!current()) return 0;
    if (!cursor) list.replaceChildren();
    list.append(...people.map(tile));
    const more = list.nextElementSibling;
    more.hidden = !next;
    more.onclick = async () => {
      more.hidden = true;
      await attempt(() => add(next));
    };
    return people.length;
  };
  const count = await add();
  if (current()) list.setAttribute('aria-busy', 'false');
  return count;
}

function tile(shown) {
  const [best, ...others] = shown.examples;
  const about = shown.name || say('unnamedPerson', { n: shown.faces });
  const faces = [
    best ? crop(best.crop, about) : element('span', { className: 'crop nobody', role: 'img', ariaLabel: about }),
    element('span', { className: 'others' }, ...others.map((face) => crop(face.crop, ''))),
  ];
  const link = element('a', { href: router.address({ view: 'people', person: shown.id }) }, ...faces);
  const choice = element('input', { type: 'checkbox', ariaLabel: say('choosePerson', { name: about }) });
  choice.addEventListener('change', () => {
    if (choice.checked) chosen.set(shown.id, shown);
    else chosen.delete(shown.id);
    presentChosen();
  });
  const field = names.nameField(shown.name, say('addName'), (name) => rename(shown, name));
  const count = element('span', { className: 'soft' }, say('picturesOf', { n: shown.pictures }));
  return element('li', { className: 'person' }, element('label', { className: 'choice' }, choice), link, field, count);
}

/** Two with one name may be one person. */
async function rename(shown, name) {
  if (!(await attempt(() => api.namePerson(shown.id, name)))) return;
  const namesakes = name ? names.called(name).filter(({ id }) => id !== shown.id) : [];
  Object.assign(shown, { name });
  await names.refresh();
  if (namesakes.length > 0) await merge([...namesakes, shown]);
}

async function merge(people) {
  const merged = await askToMerge(people, attempt);
  if (merged) await show(router.here());
}

async function nameChosen() {
  const name = $('chosen-name').value.trim();
  if (name && await attempt(() => api.namePeople([...chosen.keys()], name))) await show(router.here());
}

function presentChosen() {
  $('chosen').hidden = chosen.size === 0;
  $('chosen-count').textContent = say('chosen', { n: chosen.size });
  $('chosen-name').placeholder = say('nameForAll');
  $('chosen-merge').disabled = chosen.size < 2;
}

function unchoose() {
  chosen.clear();
  $('chosen-name').value = '';
  for (const choice of $('people-list').querySelectorAll(':checked')) choice.checked = false;
  presentChosen();
}

async function attempt(action) {
  try {
    await action();
    tell(say('rerunDone'));
    return true;
  } catch (error) {
    tell(sayProblem(error));
    return false;
  }
}

function tell(text) {
  $('people-said').textContent = text;
}
