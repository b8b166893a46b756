// The faces of the picture that is shown: cut out beside it with their names, and where they are in it.

import * as api from './api.js';
import { crop } from './crop.js';
import { $, element } from './dom.js';
import * as names from './names.js';
import * as router from './router.js';
import { onPicture } from './viewer.js';
import { say, sayProblem } from './words.js';

let asset = null;
let boxes = [];

/** Joins it to the viewer. */
export function setUp() {
  onPicture((shown) => {
    const another = asset?.id !== shown.id;
    asset = shown;
    present();
    if (another && shown.faces.length > 0) names.refresh().catch(() => {});
  });
  $('viewer').addEventListener('close', () => boxes.forEach((box) => box.remove()));
}

function present() {
  boxes.forEach((box) => box.remove());
  boxes = asset.faces.map(box);
  $('layer').append(...boxes);
  const rows = asset.faces.map(row);
  $('people').replaceChildren(...(rows.length > 0 ? rows : [element('li', { className: 'soft' }, say('nobody'))]));
}

const nameOf = ({ person }) => asset.people.find(({ id }) => id === person)?.name ?? '';

/** Where a face is; it is seen while its row is pointed at or has the focus. */
function box({ box: [left, top, right, bottom] }) {
  const percent = (part) => `${part * 100}%`;
  const style = { left: percent(left), top: percent(top), width: percent(right - left), height: percent(bottom - top) };
  const made = element('span', { className: 'face-box', style });
  made.setAttribute('aria-hidden', 'true');
  return made;
}

function row(face, place) {
  const name = nameOf(face);
  const known = face.person !== null;
  const picture = crop(face.crop, '');
  const shown = known
    ? element('a', { href: router.address({ view: 'people', person: face.person }), ariaLabel: say('openPerson', { name: name || say('noName') }) }, picture)
    : picture;
  const field = names.nameField(name, say(known ? 'addName' : 'whoIsThis'), (typed) => attempt(place, () => {
    if (known) return api.namePerson(face.person, typed).then(names.refresh);
    return typed ? names.nameFace(asset.id, place, typed) : null;
  }));
  const item = element('li', { className: 'face' }, shown, field);
  if (known) {
    const not = element('button', { type: 'button', className: 'plain', ariaLabel: name ? `${say('notThisPerson')}: ${name}` : say('notThisPerson') }, say('notThisPerson'));
    not.addEventListener('click', () => attempt(place, () => api.rejectFace(face.person, asset.id, place)));
    item.append(not);
  }
  const point = (on) => boxes[place]?.classList.toggle('pointed', on);
  for (const [event, on] of [['pointerenter', true], ['pointerleave', false], ['focusin', true], ['focusout', false]]) {
    item.addEventListener(event, () => point(on));
  }
  return item;
}

/** Does something with a face, shows what became of all, and keeps the place. */
async function attempt(place, action) {
  const { id } = asset;
  try {
    await action();
    const full = await api.asset(id);
    if (asset.id !== id) return;
    Object.assign(asset, { faces: full.faces, people: full.people });
    const inside = $('people').contains(document.activeElement);
    present();
    if (inside) $('people').children[place]?.querySelector('input')?.focus();
    $('done').textContent = say('rerunDone');
  } catch (error) {
    $('done').textContent = say('rerunFailed', { why: sayProblem(error) });
  }
}
