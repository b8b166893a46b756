'use strict';

// Signs a browser in, by the form or by `#key=…` behind the address, which no browser sends to anybody by itself.

const form = document.getElementById('key-form');
const field = document.getElementById('key');
const here = location.pathname + location.search;

function tell(text) {
  document.getElementById('key-problem').textContent = text;
  field.select();
}

// As a navigation of this page's own, so that the cookie goes along, wherever the first one came from.
const goIn = () => location.replace(here);

async function signIn(key) {
  try {
    const response = await fetch('/api/v1/session', {
      method: 'POST',
      headers: { accept: 'application/json', 'content-type': 'application/json' },
      body: JSON.stringify({ key }),
    });
    if (response.ok) goIn();
    else tell(response.status === 429 ? form.dataset.tries : form.dataset.wrong);
  } catch {
    tell(form.dataset.offline);
  }
}

form.addEventListener('submit', (event) => {
  event.preventDefault();
  signIn(field.value.trim());
});

// A link on a page of another site does not carry the cookie of somebody who has signed in; a request from here does.
async function isSignedIn() {
  const response = await fetch('/api/v1/status', { headers: { accept: 'application/json' } }).catch(() => null);
  return response !== null && response.status !== 401;
}

async function start() {
  const [, shown] = /^#key=(.+)$/.exec(location.hash) ?? [];
  if (shown) {
    // It shall not stay in the address, nor in the history.
    history.replaceState(null, '', here);
    await signIn(decodeURIComponent(shown));
  } else if (await isSignedIn()) {
    goIn();
  }
}

addEventListener('hashchange', start);
start();
