// How far the analysis is, and what could not be read.

import * as api from './api.js';
import { $, element } from './dom.js';
import { say, sayCode } from './words.js';

const BUSY_MS = 2000;
const CALM_MS = 15000;

let state = null;
let grown = () => {};

/** Watches from now on; `onGrown()` is called whenever there are more pictures, or fewer, than before. */
export function setUp(onGrown) {
  grown = onGrown;
  $('failures-open').addEventListener('click', showFailures);
  watch();
}

async function watch() {
  try {
    const before = state;
    state = await api.status();
    again();
    if (before && before.counts.assets !== state.counts.assets) grown();
  } catch {
    // The grid tells about a lost connection; this is only a progress bar.
    $('work').hidden = true;
  }
  setTimeout(watch, state?.waiting > 0 ? BUSY_MS : CALM_MS);
}

/** Says it again after the language changed. */
export function again() {
  if (!state) return;
  const { counts, waiting, failed } = state;
  $('work').hidden = waiting === 0 && failed === 0;
  $('work-bar').hidden = waiting === 0;
  $('work-bar').value = counts.assets > 0 ? 1 - waiting / counts.assets : 1;
  $('work-text').textContent = waiting > 0 ? say('working', { done: counts.assets - waiting, all: counts.assets }) : '';
  $('failures-open').hidden = failed === 0;
  $('failures-open').textContent = say('failed', { n: failed });
}

async function showFailures() {
  const { assets } = await api.failures();
  $('failure-list').replaceChildren(...assets.map(({ path, analysis }) => {
    const failed = ['ocr', 'clip', 'faces'].filter((kind) => analysis[kind].state === 'failed');
    // Most fail in all kinds for the same reason.
    const reasons = new Map(failed.map((kind) => [sayCode(analysis[kind].code, analysis[kind].message), analysis[kind].message]));
    const said = [...reasons].map(([words, title]) => element('span', { title }, words));
    return element('li', {}, element('strong', {}, path), ...said);
  }));
  $('failures').showModal();
}
