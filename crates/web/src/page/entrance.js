// A key behind `#key=` in the address, which no browser sends to anybody by itself.
//
// Whoever is not signed in gets another page, which takes it; here it comes to somebody who is.

import * as api from './api.js';

/** Signs in by the key in the address, if there is one, and takes it out of the address and the history. */
export async function enter() {
  const [, key] = /^#key=(.+)$/.exec(location.hash) ?? [];
  if (!key) return;
  history.replaceState(history.state, '', location.pathname + location.search);
  // Who is let in already need not be told of a key that is none.
  await api.signIn(decodeURIComponent(key)).catch(() => {});
}
