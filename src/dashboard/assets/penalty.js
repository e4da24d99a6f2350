// The penalty box: only the streams in which something is wrong, worst first. A stream that is well
// again stays for 30 s, said to be clear, so that nothing vanishes while it is read.

import { attribute, fill, h, text } from './dom.js';
import { every, soon } from './frame.js';
import { brief, count, now } from './format.js';
import { IncidentLines } from './incident_lines.js';
import { HELD } from './model.js';
import { Picture, STALE } from './thumbs.js';
import { setSign, sign } from './severity.js';
import { address, isKiosk } from './address.js';
import { acknowledge, snooze } from './actions.js';

/** Most rows shown; how many more there are is said. */
const ROWS_MAX = 60;

class Row {
  constructor(context, name) {
    this.context = context;
    this.name = name;
    const image = h('img', { alt: '', hidden: true });
    this.shot = new Picture(image);
    this.mark = h('span', { class: 'mark' });
    this.sign = sign(null);
    this.title = h('a', { class: 'title', href: address({ view: 'stream', name }) });
    this.message = h('span', { class: 'message' });
    this.word = h('span', { class: 'unseen' });
    this.what = h('a', { class: 'what' }, this.sign, this.word, this.message);
    this.since = h('span', { class: 'grow' });
    this.ack = h('button', { type: 'button', 'data-needs': 'operator', click: () => acknowledge(this.event) }, 'Ack');
    this.snooze = h('button', { type: 'button', 'data-needs': 'operator', click: () => snooze(this.event) }, 'Snooze');
    this.node = h(
      'li',
      { class: 'penalty' },
      h(
        'a',
        { class: 'shot', href: address({ view: 'stream', name }), tabindex: '-1', 'aria-hidden': 'true' },
        image,
        this.mark,
      ),
      this.title,
      this.what,
      h('div', { class: 'since' }, this.since, this.ack, this.snooze),
    );
    if (isKiosk()) for (const link of this.node.querySelectorAll('a')) link.removeAttribute('href');
    this.node.row = this;
  }

  async picture(picture) {
    await this.shot.set(picture, () => this.tick());
  }

  update({ event, clearedAt }) {
    const stream = this.context.model.streams.get(this.name);
    this.event = event;
    this.clearedAt = clearedAt;
    text(this.title, stream?.title || this.name);
    attribute(this.title, 'title', this.name);
    attribute(this.node, 'data-severity', clearedAt === null ? event?.severity : '');
    attribute(this.node, 'data-cleared', clearedAt !== null);
    setSign(this.sign, clearedAt === null ? event?.severity : null);
    text(this.message, event ? event.message || event.detector : 'clear');
    text(this.word, clearedAt === null ? `${event?.severity}: ` : 'clear: ');
    attribute(this.what, 'title', event?.message);
    if (event && !isKiosk()) attribute(this.what, 'href', address({ view: 'event', id: event.id }));
    attribute(this.ack, 'hidden', clearedAt !== null || event?.state === 'acked');
    attribute(this.snooze, 'hidden', clearedAt !== null);
    attribute(this.ack, 'aria-label', `Ack ${event?.detector} of ${this.name}`);
    attribute(this.snooze, 'aria-label', `Snooze ${event?.detector} of ${this.name}`);
    this.tick();
  }

  tick() {
    if (this.clearedAt !== null) {
      text(this.since, `clear, leaves in ${brief(HELD - (now() - this.clearedAt))}`);
    } else if (this.event) {
      const acked =
        this.event.state === 'acked' ? `, acked${this.event.acked_by ? ` by ${this.event.acked_by}` : ''}` : '';
      text(this.since, `${brief(now() - this.event.started)}${acked}`);
    }
    const age = this.shot.age();
    text(this.mark, age !== null && age > STALE ? `STALE ${brief(age)}` : '');
  }

  end() {
    this.context.thumbnails.drop(this);
    this.shot.clear();
    this.node.remove();
  }
}

export class PenaltyBox {
  constructor(context) {
    this.context = context;
    this.rows = new Map();
    this.list = h('ul', { role: 'list', 'aria-label': 'Streams with something wrong' });
    this.calm = h('div', { class: 'calm' });
    this.incidents = new IncidentLines(context.model);
    this.more = h('p', { class: 'soft' });
    this.total = h('span', { class: 'soft' });
    this.box = h(
      'div',
      { class: 'box', tabindex: '0', role: 'region', 'aria-label': 'Penalty box' },
      this.incidents.node,
      this.calm,
      this.list,
      this.more,
    );
    this.node = h(
      'aside',
      { class: 'rail', 'aria-labelledby': 'penalty-title' },
      h('div', { class: 'head' }, h('h2', { id: 'penalty-title' }, 'Penalty box'), this.total),
      this.box,
    );
    this.seen = new IntersectionObserver(
      (entries) => {
        for (const { target, isIntersecting } of entries) {
          if (isIntersecting) context.thumbnails.want(target.row);
          else context.thumbnails.drop(target.row);
        }
      },
      { root: this.box },
    );
    this.draw = () => this.update();
    const ask = () => soon(this.draw);
    this.ends = [context.model.on('stream', ask), context.model.on('list', ask), every(1000, this.draw)];
    this.update();
  }

  end() {
    for (const end of this.ends) end();
    this.seen.disconnect();
    this.incidents.end();
    for (const row of this.rows.values()) row.end();
  }

  update() {
    const { model } = this.context;
    const entries = model.penalties();
    const shown = entries.slice(0, ROWS_MAX);
    const names = new Set(shown.map((entry) => entry.name));
    for (const [name, row] of this.rows) {
      if (names.has(name)) continue;
      this.seen.unobserve(row.node);
      row.end();
      this.rows.delete(name);
    }
    let next = this.list.firstChild;
    for (const entry of shown) {
      const row = this.rows.get(entry.name) ?? this.make(entry.name);
      row.update(entry);
      if (row.node === next) next = next.nextSibling;
      else this.list.insertBefore(row.node, next);
    }
    const wrong = entries.filter((entry) => entry.clearedAt === null).length;
    text(this.total, wrong > 0 ? `${count(wrong, 'stream')} of ${model.streams.size.toLocaleString('en')}` : '');
    text(this.more, entries.length > shown.length ? `and ${entries.length - shown.length} more` : '');
    this.sayCalm(entries.length === 0);
  }

  make(name) {
    const row = new Row(this.context, name);
    this.rows.set(name, row);
    this.seen.observe(row.node);
    return row;
  }

  sayCalm(isCalm) {
    const { model } = this.context;
    attribute(this.calm, 'hidden', !isCalm);
    if (!isCalm) return;
    const watched = [...model.streams.keys()].filter((name) => model.meaning(name) === 'live').length;
    const off = [...model.streams.keys()].filter((name) => model.meaning(name) === 'off air').length;
    const blind = model.streams.size - watched - off;
    const words = !model.loaded
      ? 'Loading …'
      : model.streams.size === 0
        ? 'No streams yet'
        : `Nothing wrong in ${count(watched, 'stream')}${blind > 0 ? `; ${blind} cannot be watched` : ''}`;
    if (this.said === words) return;
    this.said = words;
    fill(this.calm, sign(null), h('span', {}, words));
  }
}

/** What the page `problems` shows: the penalty box alone, in as many columns as fit. */
export function problemsPage(context) {
  const box = new PenaltyBox(context);
  return {
    node: h('div', { class: 'problems' }, h('h1', { class: 'unseen' }, 'Problems'), box.node),
    end: () => box.end(),
    title: 'Problems',
  };
}
