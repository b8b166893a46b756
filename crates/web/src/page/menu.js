// A menu behind a button, by mouse, touch and keyboard.

/** Joins a button and its list of items (role `menu`, with elements of role `menuitem`). */
export function menu(button, list) {
  const items = () => [...list.querySelectorAll('[role="menuitem"]:not([hidden]):not(:disabled)')];
  const open = (opened) => {
    list.hidden = !opened;
    button.setAttribute('aria-expanded', String(opened));
    if (opened) items()[0]?.focus();
  };
  const leave = () => {
    open(false);
    button.focus();
  };
  button.addEventListener('click', () => open(list.hidden));
  list.addEventListener('click', (event) => { if (event.target.closest('[role="menuitem"]')) leave(); });
  list.addEventListener('keydown', (event) => {
    const all = items();
    const place = all.indexOf(document.activeElement);
    const action = {
      ArrowDown: () => all[(place + 1) % all.length].focus(),
      ArrowUp: () => all.at(place - 1).focus(),
      Home: () => all[0].focus(),
      End: () => all.at(-1).focus(),
      Escape: leave,
      Tab: leave,
    }[event.key];
    if (!action) return;
    // Escape closes the menu, not the dialog around it.
    event.preventDefault();
    event.stopPropagation();
    action();
  });
  document.addEventListener('pointerdown', (event) => {
    if (!list.hidden && !list.contains(event.target) && !button.contains(event.target)) open(false);
  });
}
