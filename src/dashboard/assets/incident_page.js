// The page of one incident: what failed together, what came first, what speaks for it, and its events.

import { attribute, fill, h } from './dom.js';
import { every, soon } from './frame.js';
import { get, part } from './api.js';
import { address } from './address.js';
import { EventTable } from './event_row.js';
import { count, lasted, moment, now } from './format.js';
import { sign } from './severity.js';
import * as shapes from './shapes.js';

/** Most streams named, and most events listed; how many there are is said. */
const STREAMS_MAX = 200;
const EVENTS_MAX = 500;

/** Shortest time between two looks at the events while they change, in milliseconds. */
const LOOK = 2000;

export function incidentPage({ model }, { id }) {
  const title = h('h1', {}, 'Incident');
  const mark = h('span', {});
  const note = h('p', { class: 'nothing', role: 'status' }, 'Loading …');
  const facts = h('dl', { class: 'facts' });
  const duration = h('dd', {});
  const causes = h('ol', { class: 'causes' });
  const evidence = h('ul', { class: 'causes' });
  const streams = h('div', { class: 'row' });
  const table = new EventTable({ withStream: true, caption: 'Events of the incident, newest first' });
  const total = h('p', { class: 'soft' });
  const body = h(
    'div',
    { class: 'stack', hidden: true },
    h(
      'div',
      { class: 'panels' },
      h('section', { class: 'panel' }, h('h2', {}, 'What happened'), facts),
      h(
        'section',
        { class: 'panel' },
        h('h2', {}, 'From cause to consequence'),
        causes,
        h('h2', { class: 'second' }, 'What speaks for it'),
        evidence,
      ),
    ),
    h('section', { class: 'panel' }, h('h2', {}, 'Streams'), streams),
    h('section', { class: 'panel' }, h('h2', {}, 'Events'), table.node, total),
  );
  const node = h(
    'div',
    { class: 'page', tabindex: '0', role: 'region', 'aria-label': 'Incident' },
    h('div', { class: 'inner' }, h('div', { class: 'row' }, mark, title), note, body),
  );
  let incident = null;
  let looked = 0;

  const tick = () => {
    if (incident) duration.textContent = lasted((incident.open ? now() : incident.ended) - incident.started);
  };
  const draw = () => {
    attribute(note, 'hidden', true);
    attribute(body, 'hidden', false);
    fill(mark, sign(incident.severity));
    fill(title, incident.message || incident.kind);
    fill(facts, factRows(incident, duration));
    fill(causes, incident.causes.map((cause) => h('li', {}, cause)));
    fill(evidence, incident.evidence.map((word) => h('li', {}, word)));
    const named = incident.streams.slice(0, STREAMS_MAX);
    const more = incident.streams.length - named.length;
    fill(
      streams,
      named.map((name) => h('a', { class: 'tag', href: address({ view: 'stream', name }) }, name)),
      more > 0 ? `and ${more} more` : null,
    );
    tick();
  };
  const load = async () => {
    looked = Date.now();
    try {
      incident = shapes.incident(await get(`/api/v1/incidents/${part(id)}`));
      draw();
      const answer = await get('/api/v1/events', { incident: id, limit: EVENTS_MAX });
      const events = answer.events.map(shapes.event);
      table.set(events);
      total.textContent =
        events.length < incident.eventsTotal ? `${events.length} of ${count(incident.eventsTotal, 'event')}` : '';
    } catch (error) {
      attribute(note, 'hidden', false);
      note.textContent =
        error.status === 404
          ? 'There is no incident of this id; the store keeps incidents for a time only.'
          : error.message;
    }
  };
  let waiting = null;
  const off = model.on('incidents', (changed) => {
    if (changed && changed.id !== id) return;
    if (changed) {
      incident = { ...incident, ...changed };
      soon(draw);
    }
    // The events of an incident that grows are read again, but not for each of them.
    waiting ??= setTimeout(
      () => {
        waiting = null;
        load();
      },
      Math.max(0, looked + LOOK - Date.now()),
    );
  });
  const stop = every(1000, tick);
  load();
  return {
    node,
    title: 'Incident',
    end: () => {
      off();
      stop();
      clearTimeout(waiting);
      table.end();
    },
  };
}

function factRows(incident, duration) {
  const rows = [
    ['Kind', incident.kind],
    ['Severity', h('span', { class: 'word', 'data-severity': incident.severity }, incident.severity)],
    ['State', incident.open ? 'open' : 'ended'],
    ...Object.entries(incident.common).map(([name, value]) => [`Common ${name}`, value]),
    ['Began', moment(incident.started)],
    ['Ended', incident.open ? null : moment(incident.ended)],
    ['Lasted', duration],
    ['Streams', count(incident.streams.length, 'stream')],
    ['Events', `${incident.eventsOpen} open of ${incident.eventsTotal}`],
    [
      'Part of',
      incident.mergedInto
        ? h('a', { href: address({ view: 'incident', id: incident.mergedInto }) }, incident.mergedInto)
        : null,
    ],
    ['Node', incident.node],
    ['Id', h('span', { class: 'mono' }, incident.id)],
    ['Stored', incident.stored === false ? 'no: the store did not take it' : null],
  ];
  return rows
    .filter(([, value]) => value !== null && value !== undefined && value !== '')
    .map(([word, value]) => [h('dt', {}, word), word === 'Lasted' ? value : h('dd', {}, value)]);
}
