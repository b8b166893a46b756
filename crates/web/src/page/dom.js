// Small helpers.

/** The element with an id. */
export const $ = (id) => document.getElementById(id);

/** A new element with properties and children; strings become text. */
export function element(name, properties = {}, ...children) {
  const created = document.createElement(name);
  const { dataset, style, ...rest } = properties;
  Object.assign(created, rest);
  Object.assign(created.dataset, dataset);
  for (const [key, value] of Object.entries(style ?? {})) created.style.setProperty(key, value);
  created.append(...children);
  return created;
}

/** A text in which the parts `[from, to]`, in characters, are marked. */
export function marked(text, marks) {
  const characters = [...text];
  const part = (from, to) => characters.slice(from, to).join('');
  const parts = [];
  let at = 0;
  for (const [from, to] of marks) {
    parts.push(part(at, from), element('mark', {}, part(from, to)));
    at = to;
  }
  return [...parts, part(at)];
}
