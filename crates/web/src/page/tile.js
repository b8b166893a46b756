// One picture of the grid.

import { element, marked } from './dom.js';
import * as router from './router.js';
import { languageTag, say } from './words.js';

/** Skeletons at a time, at most: a page of hits. */
const MOST_SKELETONS = 60;

/** So many characters stay before what was found: a narrow tile shows the beginning of a line only. */
const LEAD = 4;

/** A line that was found, from shortly before its first mark. */
function snippet({ text, marks }) {
  const characters = [...text];
  const [start] = marks[0] ?? [0];
  const earliest = Math.max(0, start - LEAD);
  if (earliest === 0) return marked(text, marks);
  // Not from the middle of a word, where words are parted.
  const cut = earliest + characters.slice(earliest, start).indexOf(' ') + 1;
  return ['…', ...marked(characters.slice(cut).join(''), marks.map((mark) => mark.map((at) => at - cut)))];
}

/** The month an asset was taken in, by the language's name. */
export function monthOf({ taken }) {
  if (!taken) return say('noDate');
  const month = date(taken, { year: 'numeric', month: 'long' });
  return month.charAt(0).toLocaleUpperCase(languageTag()) + month.slice(1);
}

/** The time an asset was taken, on the clock of the place. */
export function date(taken, format) {
  return new Intl.DateTimeFormat(languageTag(), { ...format, timeZone: 'UTC' }).format(new Date(`${taken}Z`));
}

/** Is it a video? */
export const isVideo = (asset) => asset.content_type.startsWith('video/');

/** A hit's tile; `dated` where no heading tells its time. */
export function tile(hit, dated) {
  const { asset } = hit;
  const image = element('img', { src: `${asset.thumbnail}&size=320`, alt: asset.name, loading: 'lazy', decoding: 'async' });
  image.addEventListener('error', () => image.replaceWith(element('span', { className: 'broken' }, asset.name)));
  const link = element('a', {
    href: router.address({ ...router.here(), photo: asset.id }),
    title: [asset.name, asset.taken && date(asset.taken, { dateStyle: 'long' }), why(hit)].filter(Boolean).join('\n'),
    dataset: { asset: String(asset.id) },
  }, image);
  if (isVideo(asset)) link.append(element('span', { className: 'film', role: 'img', ariaLabel: say('video') }));
  const caption = [];
  const line = hit.lines[0];
  if (line) caption.push(element('span', { className: 'snippet' }, ...snippet(line)));
  if (dated && asset.taken) caption.push(element('time', { dateTime: asset.taken }, date(asset.taken, { dateStyle: 'medium' })));
  if (caption.length > 0) link.append(element('span', { className: 'caption' }, ...caption));
  return element('li', {}, link);
}

/** Tiles of pictures that are still asked for. */
export function skeletons(wanted) {
  const count = Math.min(Math.max(wanted, 0), MOST_SKELETONS);
  return Array.from({ length: count }, () => element('li', { className: 'skeleton', ariaHidden: 'true' }));
}

/** Why a picture was found, in words. */
export function why(hit) {
  const s = hit.similarity?.toFixed(3);
  switch (hit.reason) {
    case 'text_and_meaning': return say('byBoth', { s });
    case 'meaning': return say('byMeaning', { s });
    case 'text': return say(hit.closeness === 'mistakes' ? 'byMistake' : 'byText');
    default: return '';
  }
}
