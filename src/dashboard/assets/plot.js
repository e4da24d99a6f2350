// A plot over time on a canvas: one or more lines on one scale, gaps where nothing was measured, bands
// where events were. A pointer or the arrow keys read it; its label says the same in words.

import { attribute, h, text } from './dom.js';
import { clock, moment } from './format.js';
import { rank } from './severity.js';
import { colour, onTheme } from './theme.js';
import { fillOf } from './strip.js';
import { soon } from './frame.js';

const HEIGHT = 132;
const LEFT = 50;
const BOTTOM = 18;
const TOP = 6;

/** A round step so that about `most` of them span `range`. */
export function niceStep(range, most) {
  const raw = range / most;
  const size = 10 ** Math.floor(Math.log10(raw));
  const factor = [1, 2, 5, 10].find((one) => one * size >= raw);
  return factor * size;
}

/** Steps of the time axis, in milliseconds. */
const TIMES = [10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14400, 21600].map((seconds) => seconds * 1000);

export class Plot {
  /** `lines`: names; `low`, `high`: fixed ends of the scale, or nothing; `say(value)`: a value in words. */
  constructor({ title, lines, low, high, least, say }) {
    Object.assign(this, { title, lines, low, high, least, say });
    this.canvas = h('canvas', { class: 'plot', role: 'img', tabindex: '0', pointermove: (event) => this.point(event.offsetX),
      pointerleave: () => this.read(null), blur: () => this.read(null), keydown: (event) => this.key(event) });
    this.value = h('span', { class: 'read' });
    const legend = lines.length > 1 ? h('span', { class: 'legend' }, lines.map((line, index) => h('span', { class: `line-${index + 1}` }, line))) : null;
    this.node = h('figure', { class: 'plot-box' }, h('figcaption', {}, h('b', {}, title), legend, this.value), this.canvas);
    this.points = [];
    this.bands = [];
    this.draw = () => this.paint();
    this.resize = new ResizeObserver(() => soon(this.draw));
    this.resize.observe(this.canvas);
    this.stop = onTheme(() => soon(this.draw));
  }

  end() {
    this.resize.disconnect();
    this.stop();
  }

  /** `points`: `{ at, values }` rising in time; `bands`: events; the span is `from` to `to`. */
  set(points, bands, from, to, gap) {
    Object.assign(this, { points, bands, from, to, gap });
    soon(this.draw);
  }

  scale() {
    let low = this.low ?? Infinity;
    let high = this.high ?? -Infinity;
    for (const { values } of this.points) {
      for (const value of values) {
        if (value === null || value === undefined) continue;
        if (this.low === undefined && value < low) low = value;
        if (this.high === undefined && value > high) high = value;
      }
    }
    if (!Number.isFinite(low)) low = 0;
    if (!Number.isFinite(high) || high - low < (this.least ?? 0)) high = low + (this.least ?? 1);
    if (high <= low) high = low + 1;
    const step = niceStep(high - low, 4);
    return { low: this.low ?? Math.floor(low / step) * step, high: this.high ?? Math.ceil(high / step) * step, step };
  }

  paint() {
    const width = this.canvas.clientWidth;
    if (width === 0 || this.from === undefined) return;
    const ratio = Math.min(2, devicePixelRatio || 1);
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(HEIGHT * ratio);
    const paint = this.canvas.getContext('2d');
    paint.scale(ratio, ratio);
    const { low, high, step } = this.scale();
    const x = (time) => LEFT + ((time - this.from) / (this.to - this.from)) * (width - LEFT - 4);
    const y = (value) => TOP + (1 - (value - low) / (high - low)) * (HEIGHT - TOP - BOTTOM);
    this.x = x;
    paint.font = `11px ${getComputedStyle(document.body).fontFamily}`;
    this.paintBands(paint, x, width);
    this.paintAxes(paint, { x, y, low, high, step, width });
    this.lines.forEach((_, index) => this.paintLine(paint, x, y, index));
    if (this.cursor) {
      paint.fillStyle = colour('ink');
      paint.fillRect(Math.round(x(this.cursor.at)), TOP, 1, HEIGHT - TOP - BOTTOM);
    }
    this.describe();
  }

  paintBands(paint, x, width) {
    for (const event of this.bands) {
      const begin = Math.max(LEFT, x(event.started));
      const end = Math.min(width - 4, x(event.open ? this.to : event.ended ?? event.started));
      if (end < LEFT || begin > width) continue;
      paint.fillStyle = colour(fillOf(event.severity));
      paint.globalAlpha = 0.18;
      paint.fillRect(begin, TOP, Math.max(1, end - begin), HEIGHT - TOP - BOTTOM);
      paint.globalAlpha = 1;
      paint.fillRect(begin, TOP, Math.max(2, end - begin), rank(event.severity) > 3 ? 4 : 2);
    }
  }

  paintAxes(paint, { x, y, low, high, step, width }) {
    paint.fillStyle = colour('ink-soft');
    paint.textAlign = 'right';
    paint.textBaseline = 'middle';
    for (let value = Math.ceil(low / step) * step; value <= high + step / 1000; value += step) {
      const line = Math.round(y(value));
      paint.fillStyle = colour('line');
      paint.fillRect(LEFT, line, width - LEFT - 4, 1);
      paint.fillStyle = colour('ink-soft');
      paint.fillText(this.say(value, true), LEFT - 5, line);
    }
    paint.textAlign = 'center';
    paint.textBaseline = 'alphabetic';
    const every_ = TIMES.find((time) => (this.to - this.from) / time <= (width - LEFT) / 80) ?? TIMES.at(-1);
    const offset = new Date(this.to).getTimezoneOffset() * 60_000;
    for (let time = Math.ceil((this.from - offset) / every_) * every_ + offset; time <= this.to; time += every_) {
      const at = x(time);
      if (at < LEFT + 16 || at > width - 20) continue;
      paint.fillText(clock(time).slice(0, every_ < 60_000 ? 8 : 5), at, HEIGHT - 4);
      paint.fillRect(Math.round(at), HEIGHT - BOTTOM, 1, 3);
    }
  }

  paintLine(paint, x, y, index) {
    paint.strokeStyle = colour(`plot-${index + 1}`);
    paint.lineWidth = 1.5;
    paint.setLineDash([[], [5, 3], [2, 2], [8, 2, 2, 2]][index % 4]);
    paint.beginPath();
    let before = null;
    for (const point of this.points) {
      const value = point.values[index];
      if (value === null || value === undefined || point.at < this.from) {
        before = null;
        continue;
      }
      if (before !== null && point.at - before <= this.gap) paint.lineTo(x(point.at), y(value));
      else paint.moveTo(x(point.at), y(value));
      before = point.at;
    }
    paint.stroke();
    paint.setLineDash([]);
  }

  describe() {
    const parts = this.lines.map((line, index) => {
      const values = this.points.map((point) => point.values[index]).filter((value) => value !== null && value !== undefined);
      if (values.length === 0) return `${line}: nothing measured`;
      let low = Infinity;
      let high = -Infinity;
      for (const value of values) {
        if (value < low) low = value;
        if (value > high) high = value;
      }
      return `${line}: now ${this.say(values.at(-1))}, lowest ${this.say(low)}, highest ${this.say(high)}`;
    });
    attribute(this.canvas, 'aria-label', `${this.title} from ${moment(this.from)} to ${moment(this.to)}. ${parts.join('. ')}`);
    if (!this.cursor) this.sayPoint(this.points.at(-1), true);
  }

  sayPoint(point, isLast) {
    if (!point) return text(this.value, '');
    const values = point.values.map((value) => (value === null || value === undefined ? '–' : this.say(value))).join(' / ');
    return text(this.value, isLast ? values : `${clock(point.at)}  ${values}`);
  }

  point(offset) {
    if (!this.x || this.points.length === 0) return;
    let best = null;
    for (const point of this.points) {
      if (!best || Math.abs(this.x(point.at) - offset) < Math.abs(this.x(best.at) - offset)) best = point;
    }
    this.read(best);
  }

  key(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step || this.points.length === 0) return;
    event.preventDefault();
    const at = this.cursor ? this.points.indexOf(this.cursor) : this.points.length;
    this.read(this.points[Math.min(this.points.length - 1, Math.max(0, at + step))]);
  }

  read(point) {
    this.cursor = point;
    this.sayPoint(point ?? this.points.at(-1), !point);
    soon(this.draw);
  }
}
