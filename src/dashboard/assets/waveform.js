// A waveform on a canvas: the highest level of each stretch, mirrored.

import { h } from './dom.js';
import { colour } from './theme.js';

const HEIGHT = 64;

/** `peaks`: magnitudes from 0 to 1. */
export function waveform({ peaks = [], from_s: from = 0, to_s: to = 0 }) {
  const canvas = h('canvas', { class: 'waveform', width: Math.max(1, peaks.length), height: HEIGHT, role: 'img', 'aria-label': `Waveform from ${from} to ${to} s` });
  const paint = canvas.getContext('2d');
  paint.fillStyle = colour('plot-1');
  peaks.forEach((peak, x) => {
    const tall = Math.max(1, Math.min(1, peak) * HEIGHT);
    paint.fillRect(x, (HEIGHT - tall) / 2, 1, tall);
  });
  return canvas;
}
