// A picture's text, laid over it line by line, so that it can be selected and copied.

import { $, element } from './dom.js';

let lines = [];
let size = null;

/** Lays lines over the picture; those in `marks` (by line) are highlighted. */
export function overlay(newLines, marks) {
  lines = newLines;
  $('text').hidden = !$('show-text').checked;
  $('text').replaceChildren(...lines.map((line, index) => {
    const span = element('span', {}, line.text);
    return element('div', { className: marks.has(index) ? 'line found' : 'line' }, span);
  }));
  if (size) lay(size.width, size.height);
}

/** Lays the text over a picture of this size, before it is zoomed. */
export function lay(width, height) {
  size = { width, height };
  [...$('text').children].forEach((node, index) => layLine(node, lines[index].box, width, height));
}

/** A line lies along its upper edge; its text is stretched to the edge's length. */
function layLine(node, box, width, height) {
  const [first, second, , fourth] = box.map(([x, y]) => [x * width, y * height]);
  const along = Math.hypot(second[0] - first[0], second[1] - first[1]);
  const across = Math.hypot(fourth[0] - first[0], fourth[1] - first[1]);
  const vertical = across > 1.5 * along && [...node.textContent].length > 1;
  const angle = Math.atan2(second[1] - first[1], second[0] - first[0]);
  Object.assign(node.style, {
    width: `${along}px`,
    height: `${across}px`,
    transform: `translate(${first[0]}px, ${first[1]}px) rotate(${angle}rad)`,
    fontSize: `${(vertical ? along : across) * 0.8}px`,
    writingMode: vertical ? 'vertical-rl' : 'horizontal-tb',
  });
  const span = node.firstChild;
  span.style.transform = '';
  const natural = vertical ? span.offsetHeight : span.offsetWidth;
  const stretch = natural > 0 ? (vertical ? across : along) / natural : 1;
  span.style.transform = vertical ? `scaleY(${stretch})` : `scaleX(${stretch})`;
}
