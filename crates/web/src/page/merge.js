// Asks whether several are one person, and makes them one.

import * as api from './api.js';
import { crop } from './crop.js';
import { $, element } from './dom.js';
import { say } from './words.js';

/** Resolves to whether they were merged. */
export function askToMerge(people, attempt) {
  const byFaces = [...people].sort((a, b) => b.faces - a.faces);
  const names = [...new Set(byFaces.map(({ name }) => name).filter(Boolean))];
  $('merge-faces').replaceChildren(...byFaces.map(card));
  $('merge-names').hidden = names.length < 2;
  $('merge-names').replaceChildren(element('legend', {}, say('whichName')), ...names.map(choice));
  const dialog = $('merge');
  dialog.returnValue = '';
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.onclose = async () => {
      if (dialog.returnValue !== 'merge') return resolve(false);
      const name = $('merge-names').querySelector(':checked')?.value ?? '';
      // Who has the name keeps it; without one, whoever is best known.
      const keep = byFaces.find((person) => person.name === name) ?? byFaces[0];
      const others = byFaces.filter((person) => person !== keep).map(({ id }) => id);
      resolve(await attempt(() => api.mergePeople(keep.id, others)));
    };
  });
}

function card({ examples, name, faces }) {
  const face = examples[0] ? crop(examples[0].crop, '') : element('span', { className: 'crop nobody' });
  return element('li', {}, face, element('span', {}, name || say('noName')), element('small', { className: 'soft' }, say('facesOf', { n: faces })));
}

function choice(name, index) {
  return element('label', {}, element('input', { type: 'radio', name: 'merge-name', value: name, checked: index === 0 }), name);
}
