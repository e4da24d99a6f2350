// History strips: the worst severity of each stretch of the last 2 or 24 hours. Height says it as
// well as colour. The model's events are all that is drawn; what was not watched is hatched.

import { rank, SEVERITIES } from './severity.js';
import { now } from './format.js';
import { colour } from './theme.js';

/** What strips span, in milliseconds. */
export const SPANS = { '2h': 2 * 3600_000, '24h': 24 * 3600_000 };

/** The worst severity (0 to 5) of each of `count` equal stretches up to `end`. Pure. */
export function buckets(events, span, count, end) {
  const worst = new Uint8Array(count);
  const begin = end - span;
  const size = span / count;
  for (const event of events) {
    if (event.state === 'suppressed' || event.started === null) continue;
    const to = event.open ? end : event.ended ?? end;
    if (to < begin || event.started > end) continue;
    const first = Math.max(0, Math.floor((event.started - begin) / size));
    const last = Math.min(count - 1, Math.floor((to - begin) / size));
    const height = rank(event.max_severity ?? event.severity);
    for (let index = first; index <= last; index += 1) if (worst[index] < height) worst[index] = height;
  }
  return worst;
}

/** Draws a strip over the whole canvas, which takes its size from the style sheet. */
export function drawStrip(canvas, events, span, width, height) {
  const ratio = Math.min(2, devicePixelRatio || 1);
  const wide = Math.max(1, Math.round(width * ratio));
  const high = Math.max(1, Math.round(height * ratio));
  if (canvas.width !== wide || canvas.height !== high) {
    canvas.width = wide;
    canvas.height = high;
  }
  const paint = canvas.getContext('2d');
  paint.fillStyle = colour('track');
  paint.fillRect(0, 0, wide, high);
  const count = Math.max(1, Math.min(480, Math.floor(width / 2)));
  const worst = buckets(events, span, count, now());
  for (let index = 0; index < count; index += 1) {
    if (worst[index] === 0) continue;
    const x = Math.floor((index * wide) / count);
    const next = Math.floor(((index + 1) * wide) / count);
    const tall = Math.ceil((high * (worst[index] + 1)) / 6);
    paint.fillStyle = colour(fillOf(SEVERITIES[worst[index] - 1]));
    paint.fillRect(x, high - tall, Math.max(1, next - x), tall);
  }
}

/** The colour of a severity as an area. */
export function fillOf(severity) {
  return severity === 'critical' ? 'critical-fill' : severity;
}

/** What a strip says, in words. */
export function describe(events, span) {
  const begin = now() - span;
  const counted = events.filter((event) => (event.open || event.ended >= begin) && rank(event.severity) >= rank('warning'));
  const hours = span / 3600_000;
  if (counted.length === 0) return `nothing wrong in ${hours} h`;
  return `${counted.length} ${counted.length === 1 ? 'event' : 'events'} in ${hours} h`;
}
