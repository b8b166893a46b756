// Zooming and moving the picture: wheel, pinch, double tap, drag, keys. Points are counted from the middle of the figure.

import { $ } from './dom.js';

/** Movements shorter than this are taps, in pixels. */
const SLACK = 8;
/** A swipe is at least so long. */
const SWIPE = 60;
const DOUBLE_TAP_MS = 300;
const DOUBLE_TAP_SCALE = 2.5;
/** A press of an arrow moves by so many pixels. */
const STRIDE = 80;

let view = { scale: 1, x: 0, y: 0 };
let room = { width: 0, height: 0, most: 4 };
let actions = {};
let changed = () => {};
/** Where fingers, or the mouse, are down. */
const pointers = new Map();
/** How the gesture began. */
let began = null;
let lastTap = null;

/** Joins the gestures; `step(by)` and `close()` are what swipes do. */
export function setUp(swipes) {
  actions = swipes;
  const figure = $('figure');
  figure.addEventListener('wheel', wheel, { passive: false });
  figure.addEventListener('pointerdown', down);
  figure.addEventListener('pointermove', move);
  for (const end of ['pointerup', 'pointercancel']) figure.addEventListener(end, up);
  figure.addEventListener('dblclick', (event) => {
    if (event.pointerType !== 'touch' && !event.target.closest('.line')) toggle(at(event));
  });
  figure.addEventListener('dragstart', (event) => { if (event.target === $('picture')) event.preventDefault(); });
}

/** Says who wants to know of another scale. */
export function onChange(listener) {
  changed = listener;
}

/** How large the picture is shown, 1 where it fits the window. */
export const scale = () => view.scale;

/** The size of the picture where it fits, and the largest scale. */
export function setRoom(size) {
  room = size;
  put(view);
}

/** Shows it whole. */
export const reset = () => put({ scale: 1, x: 0, y: 0 });

/** Zooms around the middle. */
export const by = (factor) => around({ x: 0, y: 0 }, view.scale * factor);

/** Moves a zoomed picture by a stride; says whether it was zoomed. */
export function pan(right, down_) {
  if (view.scale <= 1) return false;
  put({ ...view, x: view.x + right * STRIDE, y: view.y + down_ * STRIDE });
  return true;
}

/** Zooms so that what lies at a point stays there. */
function around(point, wanted) {
  const to = Math.min(Math.max(wanted, 1), room.most);
  const factor = to / view.scale;
  put({ scale: to, x: point.x - (point.x - view.x) * factor, y: point.y - (point.y - view.y) * factor });
}

const toggle = (point) => around(point, view.scale > 1 ? 1 : DOUBLE_TAP_SCALE);

/** No further than to the picture's edges. */
function put({ scale: to, x, y }) {
  const over = (side, window) => Math.max(0, (side * to - window) / 2);
  const [most, highest] = [over(room.width, $('figure').clientWidth), over(room.height, $('figure').clientHeight)];
  view = { scale: to, x: Math.min(Math.max(x, -most), most), y: Math.min(Math.max(y, -highest), highest) };
  draw(view.x, view.y);
  $('figure').classList.toggle('zoomed', view.scale > 1);
  $('zoom-out').disabled = view.scale <= 1;
  $('zoom-in').disabled = view.scale >= room.most;
  changed();
}

function draw(x, y) {
  $('layer').style.transform = `translate(${x}px, ${y}px) scale(${view.scale})`;
}

function at({ clientX, clientY }) {
  const { left, top, width, height } = $('figure').getBoundingClientRect();
  return { x: clientX - left - width / 2, y: clientY - top - height / 2 };
}

function wheel(event) {
  if ($('layer').hidden) return;
  event.preventDefault();
  const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
  // A pinch on a touchpad comes as a wheel with Ctrl, in smaller steps.
  const speed = event.ctrlKey ? 0.01 : 0.002;
  around(at(event), view.scale * Math.exp(-event.deltaY * lines * speed));
}

/** A mouse on text selects it. */
const selects = (event) => event.pointerType === 'mouse' && event.target.closest('.line');

function down(event) {
  if ($('layer').hidden || event.button !== 0 || selects(event)) return;
  pointers.set(event.pointerId, at(event));
  if (event.pointerType === 'mouse') $('figure').setPointerCapture(event.pointerId);
  begin();
}

function begin() {
  began = { points: [...pointers.values()], view, moved: began?.moved === true && pointers.size > 0, fingers: pointers.size };
}

function move(event) {
  if (!pointers.has(event.pointerId)) return;
  pointers.set(event.pointerId, at(event));
  const points = [...pointers.values()];
  const [start, end] = [middle(began.points), middle(points)];
  const [x, y] = [end.x - start.x, end.y - start.y];
  if (Math.hypot(x, y) > SLACK || points.length > 1) began.moved = true;
  if (!began.moved) return;
  if (points.length > 1) {
    const to = Math.min(Math.max((began.view.scale * spread(points)) / spread(began.points), 1), room.most);
    const factor = to / began.view.scale;
    put({ scale: to, x: end.x - (start.x - began.view.x) * factor, y: end.y - (start.y - began.view.y) * factor });
  } else if (began.view.scale > 1) {
    put({ ...view, x: began.view.x + x, y: began.view.y + y });
  } else if (event.pointerType !== 'mouse') {
    // The picture follows the finger; what it means is known at the end.
    draw(Math.abs(x) > Math.abs(y) ? x : 0, Math.abs(y) > Math.abs(x) ? Math.max(y, 0) : 0);
  }
}

function up(event) {
  if (!pointers.has(event.pointerId)) return;
  const end = at(event);
  pointers.delete(event.pointerId);
  const { points: [start], view: { scale: before }, moved, fingers } = began;
  if (pointers.size > 0) {
    begin();
    return;
  }
  began = null;
  draw(view.x, view.y);
  if (event.type === 'pointercancel' || fingers > 1) return;
  if (!moved) tapped(event, end);
  else if (before === 1 && view.scale === 1 && event.pointerType !== 'mouse') swiped(end.x - start.x, end.y - start.y);
}

function tapped(event, point) {
  if (event.pointerType === 'mouse') return;
  const second = lastTap && event.timeStamp - lastTap.time < DOUBLE_TAP_MS && Math.hypot(point.x - lastTap.x, point.y - lastTap.y) < 30;
  lastTap = second ? null : { ...point, time: event.timeStamp };
  if (second) toggle(point);
}

function swiped(x, y) {
  if (Math.abs(x) > SWIPE && Math.abs(x) > 1.5 * Math.abs(y)) actions.step(x < 0 ? 1 : -1);
  else if (y > 1.5 * SWIPE && y > 1.5 * Math.abs(x)) actions.close();
}

const middle = (points) => ({
  x: points.reduce((sum, point) => sum + point.x, 0) / points.length,
  y: points.reduce((sum, point) => sum + point.y, 0) / points.length,
});

const spread = ([one, other]) => Math.max(1, Math.hypot(one.x - other.x, one.y - other.y));
