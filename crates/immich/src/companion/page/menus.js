// The entries in Immich's menus.

// Immich's menus close when something else is clicked.
const closeMenus = () => {
  for (const type of ['mousedown', 'mouseup', 'click']) {
    document.body.dispatchEvent(new MouseEvent(type, { bubbles: true, cancelable: true }));
  }
};

// Immich's entries change their colour under the mouse and for the arrow keys.
const COLOURS = ['bg-slate-100', 'bg-slate-300'];
const light = (item, on) => item.classList.replace(COLOURS[Number(!on)], COLOURS[Number(on)]);

// An entry like its neighbour, with another picture and other words.
const entry = (neighbour, kind, ids) => {
  const item = neighbour.cloneNode(true);
  for (const element of [item, ...item.querySelectorAll('[id]')]) element.removeAttribute('id');
  item.id = `viewfinder-${kind}-${Math.random().toString(36).slice(2)}`;
  item.setAttribute(MARK, kind);
  const path = item.querySelector('svg path');
  path?.setAttribute('d', KINDS[kind].icon);
  path?.closest('svg')?.setAttribute('viewBox', '0 0 24 24');
  for (const title of item.querySelectorAll('svg title, svg desc')) title.remove();
  const texts = document.createTreeWalker(item, NodeFilter.SHOW_TEXT);
  let label = null;
  while (texts.nextNode()) {
    const text = texts.currentNode;
    if (!label && text.data.trim()) label = text;
    else text.data = '';
  }
  label ??= item.appendChild(document.createTextNode(''));
  label.data = words()[kind][0];
  light(item, false);
  item.addEventListener('mouseover', () => light(item, true));
  item.addEventListener('mouseleave', () => light(item, false));
  item.addEventListener('click', safely(async (event) => {
    event.preventDefault();
    event.stopPropagation();
    closeMenus();
    const chosen = await ids();
    if (chosen.length > 0) await start(kind, chosen);
    else toast(kind).end(words()[kind][2], '', true);
  }));
  return item;
};

// The jobs are the last entries of a menu, behind its only line; only owners see them.
const complete = (menu, ids, usable) => {
  const line = menu?.querySelector(':scope > hr');
  const present = menu?.querySelectorAll(`[${MARK}]`) ?? [];
  if (!line || !usable) {
    for (const item of present) item.remove();
    return;
  }
  if (present.length === 0) {
    let neighbour = null;
    for (let next = line.nextElementSibling; next; next = next.nextElementSibling) {
      if (next.matches('li[role="menuitem"]')) neighbour = next;
    }
    neighbour?.after(...again.map((kind) => entry(neighbour, kind, ids)));
  }
  const active = menu.getAttribute('aria-activedescendant');
  for (const item of present) light(item, item.id === active || item.matches(':hover'));
};

const MENU_BUTTON = 'button[id^="context-menu-button-"]';

const menuOf = (bar) => {
  const buttons = [...(bar?.querySelectorAll(MENU_BUTTON) ?? [])];
  const menus = buttons.map((button) => {
    const named = button.getAttribute('aria-controls');
    return (named && document.getElementById(named)) || bar.querySelector(`ul[aria-labelledby="${button.id}"]`);
  });
  return menus.filter((menu) => menu?.matches('ul[role="menu"]')).find((menu) => menu.querySelector(':scope > hr'));
};

const menus = safely(() => {
  if (again.length === 0) return;
  const bar = document.querySelector(`${VIEWER} ${VIEWER_BAR}`);
  if (bar && shown()) {
    complete(menuOf(bar), () => [shown()].filter(Boolean), true);
  }
  const selecting = selectionBar();
  const known = seen(selecting).length > 0;
  if (selecting && !bar) complete(menuOf(selecting), selection, known || thumbnails(selecting));
});
