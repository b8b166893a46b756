// What is known about a picture: time, size, text with its corrections. People are faces.js.

import * as api from './api.js';
import { $, element, marked } from './dom.js';
import { date, why } from './tile.js';
import { number, say, sayCode, sayProblem } from './words.js';

let asset = null;
let actions = {};

/** Joins it: `corrected()` after a line was changed, `tell(text)` with what came of it. */
export function setUp(joined) {
  actions = joined;
}

/** Says nothing. */
export function empty() {
  asset = null;
  $('why').textContent = '';
  for (const name of ['facts', 'lines', 'people']) $(name).replaceChildren();
}

/** Shows what is known; `marks` are the places in its lines that were searched for. */
export function show(shown, hit, marks) {
  asset = shown;
  $('why').textContent = hit ? why(hit) : '';
  $('why').hidden = $('why').textContent === '';
  $('facts').replaceChildren(...facts().flatMap(([name, value]) => [element('dt', {}, name), element('dd', {}, value)]));
  const rows = asset.lines.map((line, index) => row(line, index, marks.get(index) ?? []));
  $('lines').replaceChildren(...(rows.length > 0 ? rows : [element('li', { className: 'soft' }, say('noText'))]));
  $('copy').hidden = rows.length === 0;
}

function facts() {
  const known = [[say('path'), asset.path]];
  if (asset.taken) known.unshift([say('taken'), date(asset.taken, { dateStyle: 'full', timeStyle: 'short' })]);
  if (asset.width) known.push([say('size'), `${asset.width} × ${asset.height}`]);
  known.push([say('bytes'), bytes(asset.bytes)]);
  for (const kind of ['ocr', 'clip', 'faces']) {
    const { state, model, code, message } = asset.analysis[kind];
    known.push([say(kind), say(`state_${state}`, { model, message: code && sayCode(code, message) })]);
  }
  return known;
}

function bytes(count) {
  const units = ['B', 'kB', 'MB', 'GB'];
  const power = Math.min(Math.floor(Math.log10(Math.max(count, 1)) / 3), units.length - 1);
  return `${number(count / 1000 ** power, power > 0 ? 1 : 0)} ${units[power]}`;
}

function row(line, index, marks) {
  const edit = element('button', { type: 'button', className: 'plain', title: say('edit'), ariaLabel: `${say('edit')}: ${line.text}` }, '✎');
  const text = element('span', {}, ...marked(line.text, marks));
  const item = element('li', {}, text, edit);
  if (line.corrected) item.insertBefore(element('small', {}, say('corrected')), edit);
  edit.addEventListener('click', () => editRow(item, line, index));
  return item;
}

function editRow(item, line, index) {
  const before = [...item.childNodes];
  const field = element('input', { value: line.text, ariaLabel: say('edit') });
  const leave = () => {
    item.replaceChildren(...before);
    item.querySelector('button').focus();
  };
  const cancel = element('button', { type: 'button', className: 'plain' }, say('cancel'));
  const form = element('form', {}, field, element('button', { type: 'submit' }, say('save')), cancel);
  cancel.addEventListener('click', leave);
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    if (await attempt(() => api.correct(asset.id, index, field.value))) await actions.corrected();
  });
  form.addEventListener('keydown', (event) => {
    event.stopPropagation();
    if (event.key !== 'Escape') return;
    event.preventDefault();
    leave();
  });
  item.replaceChildren(form);
  field.focus();
}

async function attempt(action) {
  try {
    await action();
    actions.tell(say('rerunDone'));
    return true;
  } catch (error) {
    actions.tell(say('rerunFailed', { why: sayProblem(error) }));
    return false;
  }
}
