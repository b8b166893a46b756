// Copying text.

import { element } from './dom.js';

/** Copies a text; says whether it worked. `within` is where a field may stand for a moment: a dialog keeps others from being used. */
export async function copyText(text, within) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Browsers have no clipboard for pages that came unencrypted from another machine; there is an older way.
    return copySelected(text, within);
  }
}

function copySelected(text, within) {
  const focused = document.activeElement;
  const field = element('textarea', { value: text, className: 'visually-hidden', readOnly: true });
  within.append(field);
  field.select();
  const copied = document.execCommand('copy');
  field.remove();
  focused?.focus();
  return copied;
}
