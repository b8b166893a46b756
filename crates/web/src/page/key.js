// Asks for the key of the address, or for the token where none is configured.

import * as api from './api.js';
import { $ } from './dom.js';
import { say, sayProblem } from './words.js';

let asking = null;

/** Asks until it is right. Everybody who waits for it waits for the same question. */
export function ask(token) {
  asking ??= new Promise((resolve) => {
    $('key-title').textContent = say(token ? 'tokenTitle' : 'keyTitle');
    $('token-hint').hidden = !token;
    $('key-problem').hidden = true;
    $('key-dialog').showModal();
    $('key-form').onsubmit = async (event) => {
      event.preventDefault();
      try {
        await api.signIn($('key').value);
        $('key').value = '';
        $('key-dialog').close();
        asking = null;
        resolve();
      } catch (error) {
        $('key-problem').textContent = sayProblem(error);
        $('key-problem').hidden = false;
      }
    };
  });
  return asking;
}

// There is nothing to see without it.
$('key-dialog').addEventListener('cancel', (event) => event.preventDefault());
