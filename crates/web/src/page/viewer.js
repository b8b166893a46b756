// One picture: its text over it, what is known about it, and what can be done again.

import * as api from './api.js';
import { $, element, marked } from './dom.js';
import * as grid from './grid.js';
import { overlay, fit } from './overlay.js';
import { current, say } from './words.js';

let place = -1;
let shown = null;
let onSimilar = () => {};
/** Counts pictures, so that a late answer about an earlier one is dropped. */
let turn = 0;

/** Says what to do for "find similar". */
export function setUp(findSimilar) {
  onSimilar = findSimilar;
  $('close').addEventListener('click', () => $('viewer').close());
  $('viewer').addEventListener('close', closed);
  $('previous').addEventListener('click', () => step(-1));
  $('next').addEventListener('click', () => step(1));
  $('viewer').addEventListener('keydown', keys);
  $('similar').addEventListener('click', () => {
    const { id, name } = shown;
    $('viewer').close();
    onSimilar(id, name);
  });
  $('rerun-ocr').addEventListener('click', () => rerun('ocr'));
  $('rerun-clip').addEventListener('click', () => rerun('clip'));
  $('show-text').addEventListener('change', () => { $('text').hidden = !$('show-text').checked; });
  $('info-toggle').addEventListener('click', () => {
    const open = $('info').hidden;
    $('info').hidden = !open;
    $('info-toggle').setAttribute('aria-expanded', String(open));
    fit();
  });
  $('copy').addEventListener('click', async () => {
    await navigator.clipboard.writeText(shown.lines.map((line) => line.text).join('\n'));
    $('done').textContent = say('copied');
  });
  $('picture').addEventListener('load', fit);
  addEventListener('resize', fit);
}

/** Opens the picture at a place of the grid. */
export async function open(at) {
  const hit = grid.at(at);
  if (!hit) return;
  place = at;
  if (!$('viewer').open) $('viewer').showModal();
  history.replaceState(null, '', `${location.pathname}${location.search}#${hit.asset.id}`);
  await load(hit.asset, hit);
}

/** Opens a picture by its number, from a link. */
export async function openById(id) {
  place = -1;
  const asset = await api.asset(id);
  $('viewer').showModal();
  await load(asset, null);
}

async function load(asset, hit) {
  turn += 1;
  const mine = turn;
  $('viewer-name').textContent = asset.name;
  $('picture').src = `${asset.thumbnail}&size=1600`;
  $('picture').alt = asset.name;
  $('text').replaceChildren();
  $('why').textContent = hit ? grid.why(hit) : '';
  $('done').textContent = '';
  $('previous').disabled = place <= 0;
  $('next').disabled = place < 0 || place + 1 >= grid.known();
  const full = await api.asset(asset.id);
  if (mine !== turn) return;
  shown = full;
  present(hit);
}

function present(hit) {
  const marks = new Map((hit?.lines ?? []).map((line) => [line.line, line.marks]));
  overlay(shown.lines, marks);
  $('lines').replaceChildren(...shown.lines.map((line, index) => row(line, index, marks.get(index) ?? [])));
  if (shown.lines.length === 0) $('lines').replaceChildren(element('li', { className: 'soft' }, say('noText')));
  $('copy').hidden = shown.lines.length === 0;
  const facts = [['path', shown.path]];
  if (shown.taken) facts.unshift(['taken', new Date(`${shown.taken}Z`).toLocaleString(document.documentElement.lang, { timeZone: 'UTC' })]);
  if (shown.width) facts.push(['size', `${shown.width} × ${shown.height}`]);
  for (const kind of ['ocr', 'clip', 'faces']) facts.push([kind, say(`state_${shown.analysis[kind].state}`, shown.analysis[kind])]);
  $('facts').replaceChildren(...facts.flatMap(([key, value]) => [element('dt', {}, say(key)), element('dd', {}, value)]));
  const people = shown.people.map((person) => {
    const name = element('input', { value: person.name, placeholder: say('noName'), ariaLabel: say('name') });
    name.addEventListener('change', () => attempt(() => api.namePerson(person.id, name.value.trim())));
    return element('li', {}, name);
  });
  $('people').replaceChildren(...(people.length > 0 ? people : [element('li', { className: 'soft' }, say('nobody'))]));
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
  const field = element('input', { value: line.text, ariaLabel: say('edit') });
  const form = element('form', {}, field, element('button', { type: 'submit' }, say('save')));
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    if (await attempt(() => api.correct(shown.id, index, field.value))) await reload();
  });
  field.addEventListener('keydown', (event) => {
    event.stopPropagation();
    if (event.key === 'Escape') {
      event.preventDefault();
      present(grid.at(place));
    }
  });
  item.replaceChildren(form);
  field.focus();
}

async function attempt(action) {
  try {
    await action();
    $('done').textContent = say('rerunDone');
    return true;
  } catch (error) {
    $('done').textContent = say('rerunFailed', { why: error.message });
    return false;
  }
}

async function reload() {
  const mine = turn;
  const full = await api.asset(shown.id);
  if (mine !== turn) return;
  shown = full;
  present(grid.at(place));
}

/** Asks for an analysis anew, and waits until it is there. */
async function rerun(kind) {
  const mine = turn;
  const { id } = shown;
  const corrected = kind === 'ocr' && shown.lines.some((line) => line.corrected);
  const replace = corrected && confirm(say('replaceCorrections'));
  try {
    await api.rerun(id, [kind], replace);
    $('done').textContent = say('queued');
    for (;;) {
      await new Promise((resolve) => { setTimeout(resolve, 700); });
      const full = await api.asset(id);
      if (mine !== turn) return;
      const { state, message } = full.analysis[kind];
      if (state === 'never') continue;
      shown = full;
      present(grid.at(place));
      $('done').textContent = state === 'done' ? say('rerunDone') : say('rerunFailed', { why: message });
      return;
    }
  } catch (error) {
    if (mine === turn) $('done').textContent = say('rerunFailed', { why: error.message });
  }
}

async function step(by) {
  if (place < 0) return;
  if (place + by >= grid.known()) await grid.more();
  await open(place + by);
}

function keys(event) {
  if (event.target.matches('input, textarea, select')) return;
  const action = { ArrowRight: () => step(1), ArrowLeft: () => step(-1), i: () => $('info-toggle').click(), t: () => $('show-text').click() }[event.key];
  if (action && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    action();
  }
}

function closed() {
  turn += 1;
  $('picture').removeAttribute('src');
  history.replaceState(null, '', `${location.pathname}${location.search}`);
  if (place >= 0) grid.focus(place);
}

/** Says everything again after the language changed. */
export function again() {
  if ($('viewer').open && shown) present(grid.at(place));
  return current();
}
