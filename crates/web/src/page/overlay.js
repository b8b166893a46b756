// A picture's text, laid over it line by line, so that it can be selected and copied.

import { $, element } from './dom.js';

let lines = [];

/** Lays lines over the picture; those in `marks` (by line) are highlighted. */
export function overlay(newLines, marks) {
  lines = newLines;
  $('text').hidden = !$('show-text').checked;
  $('text').replaceChildren(...lines.map((line, index) => {
    const span = element('span', {}, line.text);
    return element('div', { className: marks.has(index) ? 'line found' : 'line' }, span);
  }));
  fit();
}

/** Lays the text anew after the picture changed its size on the screen. */
export function fit() {
  const picture = $('picture');
  const figure = $('figure');
  if (!picture.naturalWidth) return;
  const scale = Math.min(figure.clientWidth / picture.naturalWidth, figure.clientHeight / picture.naturalHeight, 1);
  const [width, height] = [picture.naturalWidth * scale, picture.naturalHeight * scale];
  const text = $('text');
  text.style.width = `${width}px`;
  text.style.height = `${height}px`;
  [...text.children].forEach((node, index) => lay(node, lines[index].box, width, height));
}

/** A line lies along its upper edge; its text is stretched to the edge's length. */
function lay(node, box, width, height) {
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
