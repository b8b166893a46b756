// A face alone, as a small picture.

import { element } from './dom.js';

/** A face; `alt` is empty where its name stands beside it. */
export function crop(address, alt, className = 'crop') {
  const image = element('img', { src: address, alt, className, loading: 'lazy', decoding: 'async', width: 128, height: 128 });
  image.addEventListener('error', () => image.replaceWith(element('span', { className: `${className} nobody`, role: alt ? 'img' : 'presentation', ariaLabel: alt })));
  return image;
}
