// Open incidents, one line each: what failed together, and how many streams it concerns. Above the penalty
// box, for one line says more than a hundred streams below it.

import { attribute, fill, h } from './dom.js';
import { soon } from './frame.js';
import { count } from './format.js';
import { address, isKiosk } from './address.js';
import { sign } from './severity.js';

/** Most lines shown; how many more there are is said. */
const LINES_MAX = 10;

export class IncidentLines {
  constructor(model) {
    this.model = model;
    this.list = h('ul', { role: 'list', 'aria-label': 'Open incidents' });
    this.more = h('p', { class: 'soft', hidden: true });
    this.node = h('div', { class: 'incidents', hidden: true }, this.list, this.more);
    this.shown = '';
    this.draw = () => this.update();
    this.off = model.on('incidents', () => soon(this.draw));
    this.update();
  }

  end() {
    this.off();
  }

  update() {
    const open = this.model.openIncidents();
    const key = open.map((incident) => incident.changeId).join();
    if (key === this.shown) return;
    this.shown = key;
    fill(this.list, open.slice(0, LINES_MAX).map(line));
    const more = open.length - LINES_MAX;
    attribute(this.more, 'hidden', more <= 0);
    this.more.textContent = more > 0 ? `and ${count(more, 'incident')} more` : '';
    attribute(this.node, 'hidden', open.length === 0);
  }
}

function line(incident) {
  const words = [h('span', { class: 'message' }, incident.message || incident.kind)];
  return h(
    'li',
    { class: 'incident', 'data-severity': incident.severity },
    sign(incident.severity),
    isKiosk()
      ? h('span', {}, words)
      : h('a', { href: address({ view: 'incident', id: incident.id }), title: incident.message }, words),
    h('span', { class: 'soft' }, count(incident.streams.length, 'stream')),
  );
}
