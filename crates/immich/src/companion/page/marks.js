// Marks on text that was searched for.

// Where the picture is in the window, without the edges that it leaves free in its box.
const place = (image) => {
  const box = image.getBoundingClientRect();
  const { naturalWidth: width, naturalHeight: height } = image;
  if (!width || !height || !box.width || getComputedStyle(image).objectFit !== 'contain') return box;
  const scale = Math.min(box.width / width, box.height / height);
  const [w, h] = [width * scale, height * scale];
  return new DOMRect(box.x + (box.width - w) / 2, box.y + (box.height - h) / 2, w, h);
};

const picture = (id) => {
  const images = [...document.querySelectorAll(`${VIEWER} img`)].filter((image) => image.complete);
  const area = (image) => image.clientWidth * image.clientHeight;
  const own = images.filter((image) => image.currentSrc.includes(id));
  return (own.length > 0 ? own : images).sort((a, b) => area(b) - area(a))[0] ?? null;
};

// Which bytes of a photo are shown: an edit changes this part of the address.
const versionOf = (id) => {
  const address = picture(id)?.currentSrc ?? '';
  return address.includes(id) ? new URL(address, location.href).searchParams.get('c') : null;
};

// What is drawn, or being fetched: photo and words, and which bytes, once they are there.
let drawn = { wanted: '', version: null };
let marked = [];
const MARKS = `[${MARK}="marks"]`;
const clear = () => document.querySelector(MARKS)?.remove();

// Draws anew, as what is read in the photo has changed.
const drawAgain = () => {
  drawn = { wanted: '', version: null };
  look();
};

const marks = safely(async () => {
  const id = shown();
  // Immich's editor takes the place of the toolbar, and turns and cuts the picture.
  const terms = id && document.querySelector(`${VIEWER} ${VIEWER_BAR}`) ? sought() : [];
  const wanted = terms.length > 0 ? `${id} ${JSON.stringify(terms)}` : '';
  const version = wanted && versionOf(id);
  if (wanted === drawn.wanted && (!version || !drawn.version || version === drawn.version)) {
    drawn.version ??= version;
    // The viewer was made anew.
    if (marked.length > 0 && !document.querySelector(MARKS)) draw(id, drawn, marked);
    return;
  }
  const own = { wanted, version };
  drawn = own;
  marked = [];
  clear();
  if (!wanted) return;
  const response = await fetch(`/api/assets/${id}/ocr`);
  if (!response.ok) return;
  const lines = await response.json();
  if (drawn !== own) return;
  marked = [...new Set(terms.flatMap((term) => found(term, lines)))];
  draw(id, own, marked);
  look();
});

const draw = (id, own, lines) => {
  const viewer = document.querySelector(VIEWER);
  if (!viewer || lines.length === 0) return;
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute(MARK, 'marks');
  svg.setAttribute('viewBox', '0 0 1 1');
  svg.setAttribute('preserveAspectRatio', 'none');
  svg.setAttribute('aria-hidden', 'true');
  // Over the picture, which the viewer puts behind its toolbar, menus and panels; under these.
  Object.assign(svg.style, { position: 'fixed', zIndex: '-1', pointerEvents: 'none', display: 'none' });
  for (const line of lines) {
    const shape = document.createElementNS(SVG, 'polygon');
    shape.setAttribute('points', [1, 2, 3, 4].map((corner) => `${line[`x${corner}`]},${line[`y${corner}`]}`).join(' '));
    shape.setAttribute('fill', 'rgba(255, 213, 0, .3)');
    shape.setAttribute('stroke', '#ffb300');
    shape.setAttribute('stroke-width', '2');
    shape.setAttribute('vector-effect', 'non-scaling-stroke');
    svg.append(shape);
  }
  viewer.append(svg);
  // The picture is zoomed and moved by the page without a word.
  const follow = safely(() => {
    if (drawn !== own || !svg.isConnected) {
      svg.remove();
      return;
    }
    const image = picture(id);
    const style = { display: image ? 'block' : 'none' };
    if (image) {
      const { x, y, width, height } = place(image);
      Object.assign(style, { left: `${x}px`, top: `${y}px`, width: `${width}px`, height: `${height}px` });
    }
    for (const [name, value] of Object.entries(style)) {
      if (svg.style[name] !== value) svg.style[name] = value;
    }
    requestAnimationFrame(follow);
  });
  follow();
};
