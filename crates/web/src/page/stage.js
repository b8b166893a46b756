// Where the picture or the video stands. The layer holds the picture and what lies over it, is as large as the picture fits
// into the window, and is zoomed as one, so that text stays where it is read.

import { $ } from './dom.js';
import * as overlay from './overlay.js';
import { isVideo } from './tile.js';
import * as zoom from './zoom.js';

/** What browsers show by themselves. */
const SHOWN = ['image/jpeg', 'image/png', 'image/webp', 'image/gif', 'image/avif', 'image/bmp'];

let asset = null;
/** Width and height of the picture at its best, in pixels. */
let best = null;
let sharp = false;

/** The picture as large as a screen. */
export const screenPicture = ({ thumbnail }) => `${thumbnail}&size=1600`;

/** Joins what changes the room for it. */
export function setUp() {
  $('picture').addEventListener('load', loaded);
  $('picture').addEventListener('error', () => { $('figure').classList.remove('loading'); });
  new ResizeObserver(fit).observe($('figure'));
  zoom.onChange(sharpen);
  // A video that this browser cannot play can still be saved.
  $('video').addEventListener('error', () => {
    if (!$('video').src) return;
    $('video').hidden = true;
    $('layer').hidden = false;
    $('unplayable').hidden = false;
  });
}

/** Shows an asset. */
export function show(shown) {
  clear();
  asset = shown;
  const film = isVideo(asset);
  $('figure').classList.add('loading');
  $('picture').src = screenPicture(asset);
  $('picture').alt = asset.name;
  $('video').hidden = !film;
  $('layer').hidden = film;
  for (const name of ['zoom-in', 'zoom-out']) $(name).hidden = film;
  if (!film) return;
  $('figure').classList.remove('loading');
  $('video').poster = screenPicture(asset);
  $('video').src = asset.file;
}

/** Shows nothing. */
export function clear() {
  asset = null;
  best = null;
  sharp = false;
  $('unplayable').hidden = true;
  $('picture').removeAttribute('src');
  $('video').pause();
  $('video').removeAttribute('src');
  $('video').load();
  zoom.reset();
}

function loaded() {
  $('figure').classList.remove('loading');
  if (!best) {
    const { naturalWidth, naturalHeight } = $('picture');
    // The file's own sides may be those before it was turned upright: only the longer one counts.
    const longer = Math.max(asset?.width ?? 0, asset?.height ?? 0);
    const growth = Math.max(1, longer / Math.max(naturalWidth, naturalHeight));
    best = { width: naturalWidth * growth, height: naturalHeight * growth };
  }
  fit();
}

/** Fits the picture into the room that there is. */
export function fit() {
  if (!best) return;
  const { clientWidth, clientHeight } = $('figure');
  const scale = Math.min(clientWidth / best.width, clientHeight / best.height, 1);
  const [width, height] = [best.width * scale, best.height * scale];
  Object.assign($('layer').style, { width: `${width}px`, height: `${height}px` });
  overlay.lay(width, height);
  zoom.setRoom({ width, height, most: Math.max(4, (2 * best.width) / width) });
  sharpen();
}

/** Shows the file itself as soon as the screen has more pixels than the picture shown. */
async function sharpen() {
  const wanted = $('layer').clientWidth * zoom.scale() * devicePixelRatio;
  const better = best && best.width > $('picture').naturalWidth && SHOWN.includes(asset?.content_type);
  if (sharp || !better || wanted < $('picture').naturalWidth * 1.2) return;
  sharp = true;
  const { file } = asset;
  const original = new Image();
  original.src = file;
  // Where it cannot be had, the smaller one stays.
  await original.decode().then(() => { if (asset?.file === file) $('picture').src = file; }, () => {});
}
