// One event as a row of a table, and a table of such rows that keeps up with the live feed.

import { attribute, h, sideways, text } from './dom.js';
import { every } from './frame.js';
import { lasted, moment, now } from './format.js';
import { address, source } from './address.js';
import { setSign, sign } from './severity.js';

const ENDS = {
  cleared: '',
  suspended: 'suspended',
  unwatched: 'no longer watched',
  stream_removed: 'stream removed',
  config_changed: 'configuration changed',
  unconfirmed: 'not confirmed after a restart',
};

/** Why nobody is told of an event. */
function heldBackWord(by) {
  if (by === 'observe') return 'observed';
  if (by.startsWith('event:')) return 'explained';
  return by.startsWith('maintenance:') ? 'in maintenance' : 'silenced';
}

/** What a person calls the state of an event. */
export function stateWord(event) {
  if (event.state === 'ended') return ENDS[event.end_reason] || 'ended';
  if (event.state === 'acked') return event.acked_by ? `acked by ${event.acked_by}` : 'acked';
  if (event.state === 'suppressed') return heldBackWord(event.suppressed_by ?? '');
  return 'open';
}

class Row {
  constructor(withStream) {
    this.sign = sign(null);
    this.word = h('span', { class: 'word' });
    this.began = h('td', {});
    this.lasting = h('td', { class: 'number' });
    this.stream = h('a', {});
    this.message = h('a', {});
    this.track = h('td', { class: 'mono track' });
    this.detector = h('td', { class: 'detector' });
    this.state = h('td', { class: 'state' });
    this.node = h(
      'tr',
      {},
      h('td', {}, h('span', { class: 'row tight' }, this.sign, this.word)),
      this.began,
      this.lasting,
      withStream ? h('td', { class: 'stream' }, this.stream) : null,
      this.detector,
      this.track,
      h('td', { class: 'message' }, this.message),
      this.state,
    );
  }

  update(event) {
    this.event = event;
    setSign(this.sign, event.severity);
    attribute(this.word, 'data-severity', event.severity);
    text(this.word, event.severity);
    text(this.began, moment(event.started));
    text(this.stream, event.stream);
    attribute(this.stream, 'href', source(event.stream));
    text(this.message, event.message || event.detector);
    attribute(this.message, 'href', address({ view: 'event', id: event.id }));
    text(this.detector, event.detector);
    text(this.track, event.track);
    text(this.state, stateWord(event));
    attribute(this.node, 'data-open', event.open);
    this.tick();
  }

  tick() {
    const { event } = this;
    text(this.lasting, lasted((event.open ? now() : (event.ended ?? event.changed)) - event.started));
  }
}

/** A table of events by id. */
export class EventTable {
  constructor({ withStream, caption }) {
    this.withStream = withStream;
    this.rows = new Map();
    this.body = h('tbody', {});
    const heads = [
      'Severity',
      'Began',
      'Lasted',
      withStream ? 'Stream' : null,
      'Detector',
      'Track',
      'What',
      'State',
    ].filter(Boolean);
    this.node = sideways(
      caption,
      h(
        'table',
        { class: 'events' },
        h('caption', { class: 'unseen' }, caption),
        h(
          'thead',
          {},
          h(
            'tr',
            {},
            heads.map((head) => h('th', { scope: 'col', class: head === 'Lasted' ? 'number' : null }, head)),
          ),
        ),
        this.body,
      ),
    );
    this.stop = every(1000, () => {
      for (const row of this.rows.values()) if (row.event.open) row.tick();
    });
  }

  end() {
    this.stop();
  }

  /** Shows these events in this order; rows of events that were there stay the same elements. */
  set(events) {
    const ids = new Set(events.map((event) => event.id));
    for (const [id, row] of this.rows) {
      if (ids.has(id)) continue;
      row.node.remove();
      this.rows.delete(id);
    }
    let next = this.body.firstChild;
    for (const event of events) {
      let row = this.rows.get(event.id);
      if (!row) {
        row = new Row(this.withStream);
        this.rows.set(event.id, row);
      }
      row.update(event);
      if (row.node === next) next = next.nextSibling;
      else this.body.insertBefore(row.node, next);
    }
  }
}
