// One stream on the wall: picture, bars, name, what is wrong, and the strip of its history. Made once
// and used for many streams one after another.

import { attribute, h, text } from './dom.js';
import { drawBars, widthOf, channels } from './bars.js';
import { describe, drawStrip, SPANS } from './strip.js';
import { brief, now, percent } from './format.js';
import { Picture, STALE } from './thumbs.js';
import { setSign, sign } from './severity.js';
import { address, isKiosk, state } from './address.js';

/** How long a new critical event calls for attention. */
const FRESH = 10_000;

const SAYS = { opening: 'opening', 'no input': 'NO INPUT', blind: 'BLIND', off: 'off', 'off air': 'off air' };

export class Tile {
  /** `context`: `{ model, thumbnails }`. */
  constructor(context) {
    this.context = context;
    this.build();
    this.picture_ = new Picture(this.image);
    this.name = null;
    this.stripFor = '';
  }

  build() {
    this.image = h('img', { alt: '', hidden: true, draggable: 'false' });
    this.noPicture = h('span', { class: 'no-picture' }, 'no picture yet');
    this.bars = h('canvas', { class: 'bars', width: 0, height: 0, 'aria-hidden': 'true' });
    this.mark = h('span', { class: 'mark' });
    this.sign = sign(null);
    this.severity = h('span', {});
    this.what = h('span', { class: 'what' });
    this.age = h('span', { class: 'age' });
    this.fault = h('span', { class: 'fault-line', hidden: true }, this.sign, this.severity, this.what, this.age);
    this.label = h('span', { class: 'name' });
    this.say = h('span', { class: 'say' });
    this.strip = h('canvas', { class: 'strip', width: 1, height: 1, 'aria-hidden': 'true' });
    this.past = h('span', { class: 'unseen' });
    this.link = h(
      'a',
      { class: 'tile', tabindex: '-1' },
      h('span', { class: 'picture' }, this.image, this.noPicture, this.bars, this.mark, this.fault),
      h('span', { class: 'foot' }, this.label, this.say),
      this.strip,
      this.past,
    );
    this.node = h('li', {}, this.link);
  }

  /** Shows a stream. */
  show(name, index, total) {
    attribute(this.node, 'aria-posinset', index + 1);
    attribute(this.node, 'aria-setsize', total);
    if (this.name === name) return;
    this.hide();
    this.name = name;
    this.link.setAttribute('href', address({ view: 'stream', name }));
    if (isKiosk()) this.link.removeAttribute('href');
    this.update();
  }

  /** Shows nothing; what it held is freed. */
  hide() {
    if (this.name === null) return;
    this.seen(false);
    this.name = null;
    this.picture_.clear();
    this.stripFor = '';
  }

  /** Told when it can be seen and when not: only then pictures are loaded. */
  seen(visible) {
    if (visible) this.context.thumbnails.want(this);
    else this.context.thumbnails.drop(this);
  }

  /** Takes a picture from the loader. */
  async picture(picture) {
    await this.picture_.set(picture, () => this.tick());
  }

  focusable(is) {
    attribute(this.link, 'tabindex', is ? '0' : '-1');
  }

  focus() {
    this.link.focus({ preventScroll: true });
  }

  /** Everything but picture and bars, from the model. */
  update() {
    const { model } = this.context;
    const stream = model.streams.get(this.name);
    if (!stream) return;
    const worst = model.worst(this.name);
    const meaning = model.meaning(this.name);
    text(this.label, stream.title || stream.name);
    attribute(this.link, 'title', stream.title ? `${stream.title} (${stream.name})` : stream.name);
    attribute(this.link, 'data-severity', worst?.severity ?? '');
    attribute(this.link, 'data-acked', worst?.state === 'acked');
    attribute(this.link, 'data-meaning', worst ? '' : meaning);
    attribute(this.fault, 'hidden', !worst);
    if (worst) {
      setSign(this.sign, worst.severity);
      // Where there is no room the letter of the sign says it; screen readers are told in any case.
      attribute(this.severity, 'class', this.context.isNarrow() ? 'unseen' : 'severity');
      text(this.severity, `${worst.severity}:`);
      text(this.what, worst.detector.replaceAll('_', ' '));
    }
    text(this.say, this.saying(stream, meaning, worst));
    this.tick();
    this.drawStrip();
  }

  saying(stream, meaning, worst) {
    if (worst?.state === 'acked') return 'acked';
    if (SAYS[meaning]) return SAYS[meaning];
    if (stream.mode === 'observe') return 'observed';
    const coverage = this.context.model.meters.get(this.name)?.coverage ?? null;
    if (coverage !== null && coverage < 0.995) return `seen ${percent(coverage)}`;
    return stream.tier && stream.tier !== 'full' ? stream.tier : '';
  }

  /** What changes with time alone: ages and staleness. */
  tick() {
    if (this.name === null) return;
    const { model } = this.context;
    const worst = model.worst(this.name);
    if (worst) text(this.age, brief(now() - worst.started));
    attribute(this.link, 'data-fresh', worst && worst.state !== 'acked' && now() - worst.raised < FRESH);
    const age = this.picture_.age();
    const isStale = age !== null && age > STALE;
    const isLost = model.feed.state === 'lost';
    attribute(this.link, 'data-stale', isStale || isLost);
    text(this.mark, isStale ? `STALE ${brief(age)}` : isLost ? 'STALE' : '');
    attribute(this.noPicture, 'hidden', age !== null);
    if (age === null)
      text(this.noPicture, model.meaning(this.name) === 'live' ? 'no picture' : (SAYS[model.meaning(this.name)] ?? ''));
    this.drawBars();
  }

  drawBars() {
    const meters = this.context.model.meters.get(this.name);
    if (widthOf(channels(meters).length) === 0 && this.bars.width === 0) return;
    drawBars(this.bars, meters, this.context.barHeight());
  }

  /** Draws the strip where it may differ from what is there. */
  drawStrip() {
    const { model } = this.context;
    const span = SPANS[state().span] ?? SPANS['2h'];
    const events = model.eventsOf(this.name);
    const [width, height] = this.context.stripSize();
    const seen = model.seenOf(this.name);
    drawStrip(this.strip, events, span, width, height, seen);
    text(this.past, describe(events, span, seen));
  }
}
