// The list of events, live and past: newest first, filtered by the server, page by page.

import { attribute, h, text } from './dom.js';
import { soon } from './frame.js';
import { get } from './api.js';
import { change, state } from './address.js';
import { EventTable } from './event_row.js';
import { rank, SEVERITIES } from './severity.js';
import * as shapes from './shapes.js';

const PAGE = 100;

/** Most rows on the page; older ones are read by narrowing the filter. */
const ROWS_MAX = 2000;

/** The filters that the address keeps. */
const KEYS = ['state', 'severity', 'detector', 'stream', 'since'];

const SINCE = [
  ['', 'Any time'],
  ['1h', 'Last hour'],
  ['8h', 'Last 8 hours'],
  ['24h', 'Last 24 hours'],
  ['168h', 'Last 7 days'],
];

const select = (label, key, options) => {
  const node = h(
    'select',
    { 'aria-label': label, change: () => change({ [key]: node.value }) },
    options.map(([value, word]) => h('option', { value }, word)),
  );
  node.value = state()[key] ?? '';
  return node;
};

const search = (label, key) => {
  const node = h('input', {
    type: 'search',
    'aria-label': label,
    placeholder: label,
    change: () => change({ [key]: node.value.trim() }),
  });
  node.value = state()[key] ?? '';
  return node;
};

export function eventsPage({ model }) {
  const table = new EventTable({ withStream: true, caption: 'Events, newest first' });
  const more = h('button', { type: 'button', hidden: true, click: () => load(false) }, 'Load older events');
  const note = h('p', { class: 'nothing', role: 'status', hidden: true });
  const first = search('Stream', 'stream');
  const bar = h(
    'div',
    { class: 'row filters', role: 'search' },
    select('State', 'state', [
      ['', 'Open and past'],
      ['open', 'Open'],
      ['ended', 'Past'],
    ]),
    select('Severity', 'severity', [
      ['', 'All severities'],
      ...[...SEVERITIES]
        .reverse()
        .slice(0, -1)
        .map((severity) => [severity, severity === 'critical' ? severity : `${severity} and above`]),
    ]),
    first,
    search('Detector', 'detector'),
    select('Since', 'since', SINCE),
  );
  const node = h(
    'div',
    { class: 'page', tabindex: '0', role: 'region', 'aria-label': 'Events' },
    h(
      'div',
      { class: 'inner' },
      h('div', { class: 'row' }, h('h1', {}, 'Events'), h('span', { class: 'grow' }), bar),
      h('section', { class: 'panel' }, table.node, note, more),
    ),
  );
  let events = new Map();
  let cursor = null;
  let asked = 0;

  const draw = () => {
    const rows = [...events.values()].sort((one, other) => (one.id < other.id ? 1 : -1)).slice(0, ROWS_MAX);
    table.set(rows);
    attribute(more, 'hidden', !cursor || rows.length >= ROWS_MAX);
  };
  const say = (words) => {
    text(note, words);
    attribute(note, 'hidden', !words);
  };
  const load = async (isNew) => {
    asked += 1;
    const mine = asked;
    if (isNew) say('Loading …');
    try {
      const { state: open, severity, detector, stream, since } = state();
      const parameters = { state: open, severity, detector, stream, since, limit: PAGE, cursor: isNew ? null : cursor };
      const answer = await get('/api/v1/events', parameters);
      if (mine !== asked) return;
      if (isNew) events = new Map();
      for (const json of answer.events) events.set(json.id, shapes.event(json));
      cursor = answer.next_cursor ?? null;
      say(events.size === 0 ? 'No event fits.' : '');
      soon(draw);
    } catch (error) {
      if (mine !== asked) return;
      // What was there fits the question before: nothing of it answers one that is refused.
      if (isNew && error.status === 400) {
        events = new Map();
        cursor = null;
        soon(draw);
      }
      say(error.message);
    }
  };
  const off = model.on('event', (event) => {
    const known = events.has(event.id);
    if (!known && !fits(event)) return;
    events.set(event.id, event);
    if (state().state && !fits(event)) events.delete(event.id);
    say('');
    soon(draw);
  });
  let last = filters();
  load(true);
  return {
    node,
    title: 'Events',
    find: () => first.focus(),
    address: () => {
      if (last === filters()) return;
      last = filters();
      load(true);
    },
    end: () => {
      off();
      table.end();
    },
  };
}

function filters() {
  const values = state();
  return KEYS.map((key) => values[key] ?? '').join('\n');
}

/** Whether an event of the live feed belongs into the list as it is filtered. */
function fits(event) {
  const { state: wanted, severity, detector, stream } = state();
  return (
    (!wanted || (wanted === 'open') === event.open) &&
    (!severity || rank(event.severity) >= rank(severity)) &&
    (!detector || detector === event.detector) &&
    (!stream || stream === event.stream)
  );
}
