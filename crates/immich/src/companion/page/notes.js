const make = (name, style, ...content) => {
  const element = document.createElement(name);
  Object.assign(element.style, style);
  element.append(...content);
  return element;
};

const drawing = (path) => {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('width', '18');
  svg.setAttribute('fill', 'currentColor');
  svg.append(document.createElementNS(SVG, 'path'));
  svg.firstChild.setAttribute('d', path);
  return svg;
};

// Below Immich's own notes; in its editor, which has buttons there, above the button at its bottom.
const placeNotes = safely(() => {
  const panel = document.querySelector(`[${MARK}="toasts"]`);
  if (!panel) return;
  const isEditing = shown() && document.querySelector(VIEWER) && !document.querySelector(`${VIEWER} ${VIEWER_BAR}`);
  const place = isEditing ? { top: 'auto', bottom: '78px' } : { top: '80px', bottom: 'auto' };
  for (const [name, value] of Object.entries(place)) {
    if (panel.style[name] !== value) panel.style[name] = value;
  }
});

// Where notes are, one below the other.
const notes = () => {
  const present = document.querySelector(`[${MARK}="toasts"]`);
  if (present) return present;
  const panel = make('div', {
    position: 'fixed', right: '16px', zIndex: '60', width: '320px', maxWidth: 'calc(100vw - 32px)',
    display: 'flex', flexDirection: 'column', gap: '8px',
  });
  panel.setAttribute(MARK, 'toasts');
  document.body.append(panel);
  placeNotes();
  return panel;
};

const CROSS = 'M19 6.4 17.6 5 12 10.6 6.4 5 5 6.4l5.6 5.6L5 17.6 6.4 19l5.6-5.6 5.6 5.6 1.4-1.4-5.6-5.6z';

// A note in the colours of Immich's own, which stays until it is closed or ended. Its end is told even if it was
// closed.
const toast = (kind) => {
  const centred = { display: 'flex', flexShrink: '0', alignItems: 'center', justifyContent: 'center' };
  const size = (length) => ({ ...centred, width: length, height: length });
  const icon = make('span', { ...size('32px'), borderRadius: '12px', color: '#fff' }, drawing(KINDS[kind].icon));
  const title = make('p', { fontWeight: '600' });
  const text = make('p', { fontSize: '14px', lineHeight: '20px' });
  const stop = make('button', {
    display: 'none', flexShrink: '0', padding: '6px 12px', border: '1px solid', borderRadius: '9999px',
    fontSize: '14px', cursor: 'pointer',
  }, words().stop);
  const close = make('button', { ...size('40px'), cursor: 'pointer' }, drawing(CROSS));
  const box = make('div', {
    display: 'flex', alignItems: 'center', gap: '10px', padding: '12px', border: '1px solid', borderRadius: '12px',
    overflowWrap: 'anywhere', boxShadow: '0 1px 2px rgba(0, 0, 0, .05)',
  }, icon, make('div', { flexGrow: '1', minWidth: '0' }, title, text), stop, close);
  box.setAttribute(MARK, 'toast');
  for (const [button, name] of [[stop, 'stop'], [close, 'close']]) {
    button.type = 'button';
    button.setAttribute(MARK, name);
  }
  close.setAttribute('aria-label', words().close);
  const note = { closed: false };
  const remove = () => {
    note.closed = true;
    box.remove();
  };
  close.addEventListener('click', () => {
    remove();
    note.onclose?.();
  });
  stop.addEventListener('click', safely(async () => {
    stop.disabled = true;
    await note.onstop?.();
    stop.disabled = false;
  }));

  const say = (name, more, failed = false) => {
    const dark = document.documentElement.classList.contains('dark');
    const colour = (inLight, inDark, otherwise) =>
      `var(--immich-ui-${failed ? 'danger' : 'primary'}-${dark ? inDark : inLight}, ${otherwise})`;
    const strong = failed ? '#dc2626' : '#4250af';
    box.setAttribute('role', failed ? 'alert' : 'status');
    box.style.background = colour(50, 100, dark ? '#111' : '#fff');
    box.style.borderColor = colour(100, 200, strong);
    box.style.color = `var(--immich-ui-dark, ${dark ? '#ddd' : '#333'})`;
    icon.style.background = colour(500, 200, strong);
    title.style.color = colour(500, 500, dark ? '#ddd' : strong);
    title.textContent = name;
    text.textContent = more;
    stop.style.display = note.onstop ? 'block' : 'none';
  };
  const end = (name, more, failed = false) => {
    note.onstop = null;
    say(name, more, failed);
    notes().append(box);
    setTimeout(remove, failed ? 8000 : 4000);
  };
  notes().append(box);
  return Object.assign(note, { say, end, remove });
};
