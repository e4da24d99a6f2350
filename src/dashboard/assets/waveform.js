// Waveforms on a canvas: the highest sample of each stretch, mirrored; a line where the condition began.

import { h } from './dom.js';
import { fixed } from './format.js';
import { colour } from './theme.js';

const WIDTH = 600;
const HEIGHT = 56;

/** Most channels drawn. */
const CHANNELS_MAX = 8;

/** One waveform for each channel of the trace of an event. */
export function waveforms(trace) {
  const found = [];
  for (const [track, curves] of Object.entries(trace.curves ?? {})) {
    (curves.channels ?? []).forEach((channel, index) => found.push([`${track} channel ${index + 1}`, channel.peak ?? []]));
  }
  return found.filter(([, points]) => points.length > 1).slice(0, CHANNELS_MAX).map(([name, points]) => draw(name, points));
}

/** `points`: `[seconds after the onset, lowest, mean, highest]`, magnitudes from 0 to 1. */
function draw(name, points) {
  const from = points[0][0];
  const to = points.at(-1)[0];
  const canvas = h('canvas', { class: 'waveform', width: WIDTH, height: HEIGHT, role: 'img', 'aria-label': `Waveform of ${name} from ${fixed(from, 0)} to ${fixed(to, 0)} s after the onset` });
  const paint = canvas.getContext('2d');
  const x = (at) => ((at - from) / (to - from || 1)) * WIDTH;
  paint.fillStyle = colour('plot-1');
  points.forEach(([at, , , highest], index) => {
    const next = points[index + 1]?.[0] ?? to;
    const tall = Math.max(1, Math.min(1, Math.abs(highest)) * HEIGHT);
    paint.fillRect(x(at), (HEIGHT - tall) / 2, Math.max(1, x(next) - x(at)), tall);
  });
  if (from < 0 && to > 0) {
    paint.fillStyle = colour('critical');
    paint.fillRect(x(0), 0, 2, HEIGHT);
  }
  return h('figure', { class: 'wave' }, canvas, h('figcaption', {}, name));
}
