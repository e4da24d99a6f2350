// Audio bars: one a channel, from −60 to 0 dBFS, drawn on a canvas. Old readings are hatched, never
// shown as if they were new.

import { now } from './format.js';
import { colour } from './theme.js';

/** Age from which on a reading is old, in milliseconds. */
export const OLD = 5000;

/** Most channels drawn. */
const CHANNELS_MAX = 8;

/** The quietest level drawn, in dBFS. */
const FLOOR = -60;

/** Width of a bar and the space beside it, in pixels. */
const WIDTH = 5;
const SPACE = 2;

/** All channels of all sound tracks: level and peak. */
export function channels(meters) {
  const all = [];
  for (const track of meters?.tracks ?? []) {
    track.levels.forEach((level, index) => all.push({ level, peak: track.peaks[index] ?? level, begins: index === 0 && all.length > 0 }));
  }
  return all.slice(0, CHANNELS_MAX);
}

/** True when the readings are missing or old. */
export function isOld(meters) {
  return !meters || meters.at === null || now() - meters.at > OLD;
}

const share = (level) => (level === null ? 0 : Math.min(1, Math.max(0, (level - FLOOR) / -FLOOR)));

/** The width that the bars of a stream need. */
export function widthOf(count) {
  return count === 0 ? 0 : count * (WIDTH + SPACE) + SPACE;
}

/** Draws the bars of a stream. Gives whether they are old. */
export function drawBars(canvas, meters, height) {
  const bars = channels(meters);
  const width = widthOf(bars.length);
  const ratio = Math.min(2, devicePixelRatio || 1);
  fit(canvas, width, height, ratio);
  if (width === 0) return false;
  const old = isOld(meters);
  const paint = canvas.getContext('2d');
  paint.setTransform(ratio, 0, 0, ratio, 0, 0);
  paint.fillStyle = colour('bar-ground');
  paint.fillRect(0, 0, width, height);
  bars.forEach((bar, index) => {
    const x = SPACE + index * (WIDTH + SPACE);
    if (old) hatch(paint, x, height);
    else drawBar(paint, x, height, bar);
  });
  paint.fillStyle = 'rgb(255 255 255 / 35%)';
  for (const mark of [-9, -18, -40]) paint.fillRect(0, Math.round(height * (1 - share(mark))), width, 1);
  return old;
}

function fit(canvas, width, height, ratio) {
  const wide = Math.round(width * ratio);
  const high = Math.round(height * ratio);
  if (canvas.width === wide && canvas.height === high) return;
  canvas.width = wide;
  canvas.height = high;
  canvas.style.width = `${width}px`;
}

function drawBar(paint, x, height, { level, peak }) {
  const top = height * (1 - share(level));
  const zones = [[FLOOR, -18, 'bar'], [-18, -9, 'bar'], [-9, -1, 'bar-loud'], [-1, 0, 'bar-over']];
  paint.fillStyle = 'rgb(255 255 255 / 10%)';
  paint.fillRect(x, 0, WIDTH, height);
  for (const [low, high, name] of zones) {
    const from = Math.max(top, height * (1 - share(high)));
    const to = height * (1 - share(low));
    if (from >= to) continue;
    paint.fillStyle = colour(name);
    paint.fillRect(x, from, WIDTH, to - from);
  }
  if (peak !== null && share(peak) > 0) {
    paint.fillStyle = peak > -1 ? colour('bar-over') : '#ffffff';
    paint.fillRect(x, Math.max(0, height * (1 - share(peak)) - 1), WIDTH, 2);
  }
  if (share(level) === 0) {
    // A channel without sound is a line at the bottom: there, but silent.
    paint.fillStyle = '#ffffff';
    paint.fillRect(x, height - 2, WIDTH, 2);
  }
}

function hatch(paint, x, height) {
  paint.fillStyle = '#7d8894';
  for (let y = 0; y < height; y += 6) paint.fillRect(x, y, WIDTH, 2);
}
