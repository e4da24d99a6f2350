// History strips: the worst severity of each stretch of the last 2 or 24 hours. Height says it as
// well as colour. What was not seen is hatched.

import { rank, SEVERITIES } from './severity.js';
import { lasted, now } from './format.js';
import { colour } from './theme.js';

/** What strips span, in milliseconds. */
export const SPANS = { '2h': 2 * 3600_000, '24h': 24 * 3600_000 };

/** What the past is known by, in milliseconds. As much at the begin of a span may be missing without a reason. */
const STEP = 60_000;

/** The worst severity (0 to 5) of each of `count` equal stretches up to `end`. Pure. */
export function buckets(events, span, count, end) {
  const worst = new Uint8Array(count);
  const begin = end - span;
  const size = span / count;
  for (const event of events) {
    if (event.state === 'suppressed' || event.started === null) continue;
    const to = event.open ? end : (event.ended ?? end);
    if (to < begin || event.started > end) continue;
    const first = Math.max(0, Math.floor((event.started - begin) / size));
    const last = Math.min(count - 1, Math.floor((to - begin) / size));
    const height = rank(event.max_severity ?? event.severity);
    for (let index = first; index <= last; index += 1) if (worst[index] < height) worst[index] = height;
  }
  return worst;
}

/** Of which of `count` equal stretches up to `end` something was seen; `seen` are spans of time. Pure. */
export function seenIn(seen, span, count, end) {
  const known = new Uint8Array(count);
  const begin = end - span;
  for (const { from, to } of seen) {
    const first = Math.max(0, Math.floor(((from - begin) / span) * count));
    const last = Math.min(count - 1, Math.ceil(((to - begin) / span) * count) - 1);
    known.fill(1, first, Math.max(first, last + 1));
  }
  return known;
}

/** Draws a strip over the whole canvas, which takes its size from the style sheet; `seen` as in `describe`. */
export function drawStrip(canvas, events, span, width, height, seen) {
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
  hatch(paint, seenIn(seen, span, count, now()), wide, high);
  for (let index = 0; index < count; index += 1) {
    if (worst[index] === 0) continue;
    const x = Math.floor((index * wide) / count);
    const next = Math.floor(((index + 1) * wide) / count);
    const tall = Math.ceil((high * (worst[index] + 1)) / 6);
    paint.fillStyle = colour(fillOf(SEVERITIES[worst[index] - 1]));
    paint.fillRect(x, high - tall, Math.max(1, next - x), tall);
  }
}

/** Dashes where nothing was seen. */
function hatch(paint, known, wide, high) {
  const x = (index) => Math.floor((index * wide) / known.length);
  paint.fillStyle = dashes(paint);
  for (let first = known.indexOf(0); first >= 0; ) {
    const seen = known.indexOf(1, first);
    const next = seen < 0 ? known.length : seen;
    paint.fillRect(x(first), 0, x(next) - x(first), high);
    first = known.indexOf(0, next);
  }
}

/** Size of the pattern of dashes, in pixels of the canvas. */
const DASHES = 8;
let pattern = { ink: '', made: null };

/** The pattern in the colour of the theme; made once for all canvases. */
function dashes(paint) {
  const ink = colour('hatch');
  if (pattern.ink !== ink) {
    const tile = new OffscreenCanvas(DASHES, DASHES);
    const into = tile.getContext('2d');
    into.fillStyle = ink;
    into.fillRect(0, DASHES / 2, DASHES / 2, 2);
    into.fillRect(DASHES / 2, 0, DASHES / 2, 2);
    pattern = { ink, made: paint.createPattern(tile, 'repeat') };
  }
  return pattern.made;
}

/** The colour of a severity as an area. */
export function fillOf(severity) {
  return severity === 'critical' ? 'critical-fill' : severity;
}

/** How long of the `span` up to `end` something was seen, in milliseconds. Pure. */
export function seenFor(seen, span, end) {
  let total = 0;
  let until = end - span;
  for (const { from, to } of [...seen].sort((one, other) => one.from - other.from)) {
    const last = Math.min(to, end);
    if (last <= until) continue;
    total += last - Math.max(from, until);
    until = last;
  }
  return total;
}

/**
 * What a strip says, in words. `seen` are the spans of time in which somebody looked and of which all that
 * happened is known: nothing is called well for the rest.
 */
export function describe(events, span, seen) {
  const begin = now() - span;
  const counted = events.filter(
    (event) => (event.open || event.ended >= begin) && rank(event.severity) >= rank('warning'),
  ).length;
  const hours = `${span / 3600_000} h`;
  const found = `${counted} ${counted === 1 ? 'event' : 'events'} in ${hours}`;
  const looked = seenFor(seen, span, now());
  if (span - looked <= STEP) return counted > 0 ? found : `nothing wrong in ${hours}`;
  if (looked < 1000) return counted > 0 ? `${found}, of which nothing was seen` : `nothing was seen in ${hours}`;
  // The past is known by the minute; seconds beside minutes would say more than is known.
  const some = lasted(looked < STEP ? looked : looked - (looked % STEP));
  return counted > 0 ? `${found}, of which ${some} were seen` : `nothing wrong in the ${some} of ${hours} that were seen`;
}
