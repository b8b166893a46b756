// The names that are given already: offered wherever one is typed, and how a face or a person gets one.

import * as api from './api.js';
import { $, element } from './dom.js';
import { say } from './words.js';

let known = [];

/** Asks for the names anew. */
export async function refresh() {
  const { people } = await api.people({ named: true, examples: 1, limit: 500 });
  known = people;
  const names = [...new Set(known.map(({ name }) => name))].sort((a, b) => a.localeCompare(b));
  $('names').replaceChildren(...names.map((name) => new Option('', name)));
}

/** People called so, those with most faces first. */
export const called = (name) => known.filter((person) => person.name.toLowerCase() === name.trim().toLowerCase());

/** A field for a name; `change(name)` once another one was typed. */
export function nameField(name, placeholder, change) {
  const field = element('input', { value: name, placeholder, ariaLabel: say('name'), autocomplete: 'off', maxLength: 200 });
  field.setAttribute('list', 'names');
  field.addEventListener('change', () => change(field.value.trim()));
  // Enter is enough, without leaving the field.
  field.addEventListener('keydown', (event) => { if (event.key === 'Enter') field.blur(); });
  return field;
}

/** Gives a face that is nobody's to whoever has this name, or to a new person. */
export async function nameFace(asset, face, name) {
  const [person] = called(name);
  if (person) await api.assignFace(person.id, asset, face);
  else await api.newPerson(asset, face, name);
  await refresh();
}
