// What is wrong with avwatch itself: events of no stream stand above every page, for whatever the wall
// shows may then be less than there is.

import { fill, h } from './dom.js';
import { soon } from './frame.js';
import { address, isKiosk } from './address.js';
import { rank, sign } from './severity.js';

/** Most events shown. */
const MOST = 3;

/** Keeps the news up to date. */
export function begin(model) {
  const box = h('div', {});
  document.getElementById('news').append(box);
  let shown = '';
  const draw = () => {
    const own = !model.loaded ? [] : [...model.events.values()].filter((event) => event.open && !model.streams.has(event.stream)
      && rank(event.severity) >= rank('warning') && event.state !== 'suppressed').slice(0, MOST);
    const key = own.map((event) => `${event.id} ${event.sequence}`).join();
    if (key === shown) return;
    shown = key;
    fill(box, own.map((event) => h('div', { class: 'banner', role: 'status' }, sign(event.severity), h('b', {}, 'The monitor itself:'),
      isKiosk() ? h('span', {}, event.message) : h('a', { href: address({ view: 'event', id: event.id }) }, event.message || event.detector))));
  };
  model.on('event', () => soon(draw));
  model.on('list', () => soon(draw));
}
