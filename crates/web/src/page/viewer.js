// One picture over the list: opening, stepping, keys. What is known about it is info.js, how it is zoomed zoom.js.

import * as api from './api.js';
import { copyText } from './clipboard.js';
import { $ } from './dom.js';
import * as grid from './grid.js';
import * as info from './info.js';
import { menu } from './menu.js';
import { overlay } from './overlay.js';
import { rerun } from './rerun.js';
import * as router from './router.js';
import * as stage from './stage.js';
import { say, sayProblem } from './words.js';
import * as zoom from './zoom.js';

/** What a narrow window has no room for is closed at first. */
const NARROW = '(max-width: 48rem)';

let id = null;
/** Everything known about the picture, once it is. */
let asset = null;
/** Counts pictures, so that a late answer about an earlier one is dropped. */
let turn = 0;
const listeners = [];

/** Says what else to do once everything about a picture is known: `listener(asset, hit)`. */
export const onPicture = (listener) => listeners.push(listener);

/** Joins the buttons, keys and gestures. */
export function setUp() {
  const hideInfo = (hidden) => {
    $('info').hidden = hidden;
    $('info-toggle').setAttribute('aria-expanded', String(!hidden));
    stage.fit();
  };
  const click = (name, action) => $(name).addEventListener('click', action);
  click('close', () => $('viewer').close());
  click('previous', () => step(-1));
  click('next', () => step(1));
  click('zoom-in', () => zoom.by(1.5));
  click('zoom-out', () => zoom.by(1 / 1.5));
  click('similar', () => router.go({ similar: asset.id, name: asset.name }));
  click('rerun-ocr', () => redo('ocr'));
  click('rerun-clip', () => redo('clip'));
  click('info-toggle', () => hideInfo(!$('info').hidden));
  for (const name of ['copy', 'copy-all']) click(name, copy);
  $('show-text').addEventListener('change', () => { $('text').hidden = !$('show-text').checked; });
  $('viewer').addEventListener('close', closed);
  $('viewer').addEventListener('keydown', keys);
  menu($('more-open'), $('more-menu'));
  zoom.setUp({ step, close: () => $('viewer').close() });
  stage.setUp();
  info.setUp({ corrected: reload, tell });
  hideInfo(matchMedia(NARROW).matches);
}

/** Opens a picture by its number. */
export async function open(wanted) {
  if (id === Number(wanted) && $('viewer').open) return;
  turn += 1;
  const mine = turn;
  id = Number(wanted);
  asset = null;
  const hit = grid.hitOf(id);
  if (!$('viewer').open) $('viewer').showModal();
  tell('');
  info.empty();
  $('text').replaceChildren();
  placed();
  if (hit) present(hit.asset);
  try {
    const full = await api.asset(id);
    if (mine !== turn) return;
    asset = full;
    if (!hit) present(full);
    presentFindings();
  } catch (error) {
    if (mine !== turn) return;
    if (hit) tell(sayProblem(error));
    else {
      // There is no such picture.
      router.replace(router.below(router.here()));
      throw error;
    }
  }
}

/** Closes it, after the address has changed. */
export function hide() {
  if ($('viewer').open) $('viewer').close();
}

/** The list below it has changed: is there something before and after it? */
export function placed() {
  $('previous').disabled = !grid.hasNeighbour(id, -1);
  $('next').disabled = !grid.hasNeighbour(id, 1);
}

/** Says everything again after the language changed. */
export function again() {
  if ($('viewer').open && asset) presentFindings();
}

function present({ name, ...rest }) {
  $('viewer-name').textContent = name;
  document.title = `${name} – Viewfinder`;
  for (const link of [$('download'), $('original')]) link.href = rest.file;
  $('download').download = name;
  stage.show({ name, ...rest });
  for (const by of [1, -1]) preload(by);
}

function presentFindings() {
  const hit = grid.hitOf(id);
  const marks = new Map((hit?.lines ?? []).map((line) => [line.line, line.marks]));
  overlay(asset.lines, marks);
  info.show(asset, hit, marks);
  $('copy-all').disabled = asset.lines.length === 0;
  for (const listener of listeners) listener(asset, hit);
}

/** What is shown next is there when it is wanted. */
async function preload(by) {
  if (!grid.hasNeighbour(id, by)) return;
  const next = await grid.neighbour(id, by);
  if (next) new Image().src = stage.screenPicture(next.asset);
}

async function reload() {
  const mine = turn;
  const full = await api.asset(id);
  if (mine !== turn) return;
  asset = full;
  presentFindings();
}

async function redo(kind) {
  const mine = turn;
  const current = () => mine === turn;
  await rerun(asset, kind, { current, tell, changed: (full) => { asset = full; presentFindings(); } });
}

async function copy() {
  const copied = await copyText(asset.lines.map((line) => line.text).join('\n'), $('viewer'));
  tell(say(copied ? 'copied' : 'copyFailed'));
}

function tell(text) {
  $('done').textContent = text;
}

/** Goes to a neighbour, in place of this one: Back leads to the list, not through all of them. */
async function step(by) {
  const next = await grid.neighbour(id, by);
  if (next) await router.replace({ ...router.here(), photo: next.asset.id });
}

function keys(event) {
  if (event.target.matches('input:not([type="checkbox"]), textarea, select') || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest('[role="menu"], video')) return;
  const action = {
    ArrowRight: () => zoom.pan(-1, 0) || step(1),
    ArrowLeft: () => zoom.pan(1, 0) || step(-1),
    ArrowDown: () => zoom.pan(0, -1),
    ArrowUp: () => zoom.pan(0, 1),
    '+': () => zoom.by(1.5),
    '=': () => zoom.by(1.5),
    '-': () => zoom.by(1 / 1.5),
    0: () => zoom.reset(),
    i: () => $('info-toggle').click(),
    t: () => $('show-text').click(),
  }[event.key];
  if (!action) return;
  event.preventDefault();
  action();
}

/** By Escape, its button, a gesture or the system's Back. */
function closed() {
  const last = id;
  turn += 1;
  id = null;
  stage.clear();
  grid.focus(last);
  if (router.here().photo) router.close();
}
