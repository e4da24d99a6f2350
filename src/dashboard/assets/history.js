// The plots of a stream: what was measured over the last 10 minutes, 2 hours or 24 hours, and goes on
// being measured while the page is open.

import { h, fill } from './dom.js';
import { get, part } from './api.js';
import { Course } from './course.js';
import { soon } from './frame.js';
import { fixed, latency, metric, now } from './format.js';
import { Plot } from './plot.js';
import * as shapes from './shapes.js';

/** What can be looked at: span in milliseconds, and the step asked for in seconds. */
const RANGES = { '10 min': [600_000, 1], '2 h': [7_200_000, 10], '24 h': [86_400_000, 60] };

/**
 * When it is looked again for what the service wrote meanwhile, in milliseconds, and how often in a row: it writes
 * every ten seconds what is 15 s old.
 */
const MEND_AFTER = 10_000;
const MEND_TRIES = 6;

const db = (value, isAxis) => fixed(value, isAxis ? 0 : 1, isAxis ? '' : 'dB');
const plain = (digits) => (value) => fixed(value, digits);
const axis = (words) => (value, isAxis) => (isAxis ? words(value).replace(/ ?bit\/s$/, '') : words(value));

export class History {
  constructor(model, name, node) {
    Object.assign(this, { model, name, node, range: '10 min', shown: [], shape: '', timer: null, tries: 0 });
    const [span, step] = RANGES[this.range];
    this.course = new Course(step * 1000, span);
    this.buttons = Object.keys(RANGES).map((range) =>
      h('button', { type: 'button', class: 'small', 'aria-pressed': 'false', click: () => this.choose(range) }, range),
    );
    this.note = h('span', { class: 'soft', role: 'status' });
    this.area = h('div', { class: 'plot-grid' });
    fill(
      node,
      h(
        'div',
        { class: 'head' },
        h('h2', {}, 'Measurements'),
        h('span', { class: 'row', role: 'group', 'aria-label': 'Span of the plots' }, this.buttons),
        this.note,
      ),
      this.area,
    );
    this.press();
    this.draw = () => this.update();
  }

  end() {
    this.isEnded = true;
    clearTimeout(this.timer);
    for (const [plot] of this.shown) plot.end();
  }

  choose(range) {
    this.range = range;
    this.press();
    this.load();
  }

  press() {
    for (const button of this.buttons) button.setAttribute('aria-pressed', String(button.textContent === this.range));
  }

  /** Reads the whole span. */
  async load() {
    clearTimeout(this.timer);
    Object.assign(this, { timer: null, tries: 0 });
    this.note.textContent = 'Loading …';
    try {
      await this.read(now() - RANGES[this.range][0], true);
      this.note.textContent = '';
    } catch (error) {
      this.note.textContent =
        error.status === 404 || error.status === 503 ? 'No history is kept; plots begin now.' : error.message;
    }
    soon(this.draw);
  }

  /** Reads what the service keeps from a time on; afresh, or to go on with. */
  async read(since, isFresh) {
    const mine = this.range;
    const [span, step] = RANGES[mine];
    const parameters = { since: new Date(since).toISOString(), resolution: `${step}s` };
    const answer = await get(`/api/v1/streams/${part(this.name)}/history`, parameters);
    if (mine !== this.range) return;
    if (isFresh) this.course.begin(step * 1000, span);
    this.course.keep(shapes.history(answer), since, now());
    soon(this.draw);
  }

  /** Goes on with a new reading. */
  add(meters) {
    this.course.hear(meters, now());
    this.mend();
    soon(this.draw);
  }

  /** Reads once more, a little later, where what was heard does not follow on what was read. */
  mend() {
    if (this.timer !== null || this.isEnded) return;
    if (!this.course.isTorn(now())) {
      this.tries = 0;
    } else if (this.tries >= MEND_TRIES) {
      this.tries = 0;
      this.course.settle();
    } else {
      this.tries += 1;
      this.timer = setTimeout(async () => {
        const timer = this.timer;
        // Not read this time, it may be the next time.
        await this.read(this.course.keptUntil(now())).catch(() => {});
        if (this.timer === timer) this.timer = null;
      }, MEND_AFTER);
    }
  }

  update() {
    const sound = new Map();
    for (const point of this.course.points)
      for (const track of point.tracks) {
        if (track.levels.length > 0)
          sound.set(track.track, Math.max(sound.get(track.track) ?? 0, Math.min(4, track.levels.length)));
      }
    const shape = JSON.stringify([...sound]);
    if (this.shown.length === 0 || shape !== this.shape) this.build(sound, shape);
    const to = now();
    const [span] = RANGES[this.range];
    const events = this.model.eventsOf(this.name);
    for (const [plot, values, detectors] of this.shown) {
      const points = this.course.points.map((point) => ({ at: point.at, values: values(point) }));
      plot.set(
        points,
        detectors ? events.filter((event) => detectors.includes(event.detector)) : events,
        to - span,
        to,
        this.course.gap,
      );
    }
  }

  build(sound, shape) {
    this.shape = shape;
    for (const [plot] of this.shown) plot.end();
    const video = (key) => (point) => [point.tracks.find((track) => track.track.startsWith('video'))?.[key] ?? null];
    const track = (name) => (point) => point.tracks.find((one) => one.track === name);
    this.shown = [
      [
        new Plot({ title: 'Luma', lines: ['mean'], low: 0, high: 255, say: plain(0) }),
        video('luma'),
        ['black', 'solid_color', 'flash', 'color_bars'],
      ],
      [
        new Plot({
          title: 'Difference to the previous picture',
          lines: ['difference'],
          low: 0,
          least: 2,
          say: plain(2),
        }),
        video('difference'),
        ['freeze', 'stutter', 'block_corruption'],
      ],
    ];
    for (const [name, channels] of sound) {
      const at = track(name);
      const detectors = ['silence', 'loudness', 'channel_silence', 'clipping', 'dropout', 'phase', 'true_peak'];
      this.shown.push(
        [
          new Plot({
            title: `Loudness ${name}`,
            lines: ['momentary', 'short-term'],
            low: -70,
            high: 0,
            say: axis((value) => fixed(value, value % 1 ? 1 : 0, '')),
          }),
          (point) => [at(point)?.momentary ?? null, at(point)?.shortTerm ?? null],
          detectors,
        ],
        [
          new Plot({
            title: `Levels ${name}`,
            lines: Array.from({ length: channels }, (_, index) => `ch ${index + 1}`),
            low: -80,
            high: 0,
            say: db,
          }),
          (point) => Array.from({ length: channels }, (_, index) => at(point)?.levels[index] ?? null),
          detectors,
        ],
      );
    }
    this.shown.push(
      [
        new Plot({
          title: 'Bit rate',
          lines: ['input'],
          low: 0,
          least: 1000,
          say: axis((value) => metric(value, 'bit/s')),
        }),
        (point) => [point.bitrate],
        ['bitrate', 'input_down'],
      ],
      [
        new Plot({ title: 'Frame rate', lines: ['pictures'], low: 0, least: 10, say: plain(0) }),
        (point) => [point.frameRate],
        ['frame_rate', 'stutter', 'video_missing'],
      ],
      [
        new Plot({
          title: 'Latency, arrival to verdict',
          lines: ['p50', 'p95', 'p99'],
          low: 0,
          least: 0.001,
          say: latency,
        }),
        (point) => point.latency ?? [null, null, null],
        [],
      ],
    );
    fill(
      this.area,
      this.shown.map(([plot]) => plot.node),
    );
  }
}
