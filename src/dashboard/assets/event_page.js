// The page of one event: what happened, when, how bad, who has it, and the evidence.

import { attribute, fill, h, outsideLink } from './dom.js';
import { every, soon } from './frame.js';
import { get, part } from './api.js';
import { address, isKiosk, source } from './address.js';
import { acknowledge, comment, snooze, unacknowledge } from './actions.js';
import { stateWord } from './event_row.js';
import { Evidence } from './evidence.js';
import { fixed, lasted, moment, now } from './format.js';
import { sign } from './severity.js';
import { complain } from './toast.js';
import * as shapes from './shapes.js';

/** Largest value said to the digit; larger ones in scientific notation. */
const say = (value, unit) =>
  value === null || value === undefined
    ? null
    : `${Math.abs(value) >= 1e6 ? value.toExponential(2) : Number(value.toPrecision(4))} ${unit ?? ''}`.trim();

export function eventPage({ model }, { id }) {
  const title = h('h1', {}, 'Event');
  const mark = h('span', {});
  const facts = h('dl', { class: 'facts' });
  const actions = h('div', { class: 'row' });
  const history = h('ol', { class: 'changes' });
  const labels = h('div', { class: 'row' });
  const note = h('p', { class: 'nothing', role: 'status' }, 'Loading …');
  const evidence = new Evidence(id);
  const duration = h('dd', {});
  const body = h(
    'div',
    { class: 'panels', hidden: true },
    h('section', { class: 'panel' }, h('h2', {}, 'What happened'), facts, labels),
    h('section', { class: 'panel' }, h('h2', {}, 'Evidence'), evidence.node),
  );
  const node = h(
    'div',
    { class: 'page', tabindex: '0', role: 'region', 'aria-label': 'Event' },
    h(
      'div',
      { class: 'inner' },
      h('div', { class: 'row' }, mark, title, h('span', { class: 'grow' }), actions),
      note,
      body,
      h('section', { class: 'panel' }, h('h2', {}, 'Changes and comments'), history),
    ),
  );
  let event = null;

  const draw = () => {
    if (!event) return;
    fill(mark, sign(event.severity));
    fill(title, event.message || event.detector);
    attribute(note, 'hidden', true);
    attribute(body, 'hidden', false);
    fill(facts, factRows(event, duration));
    fill(
      labels,
      Object.entries(event.labels).map(([name, value]) => h('span', { class: 'tag' }, `${name}=${value}`)),
    );
    if (!isKiosk()) fill(actions, buttons(event, load));
    tick();
    evidence.show(event);
  };
  const tick = () => {
    if (event) duration.textContent = lasted((event.open ? now() : (event.ended ?? event.changed)) - event.started);
  };
  const load = async () => {
    try {
      const json = await get(`/api/v1/events/${part(id)}`);
      event = shapes.event(json.event ?? json);
      draw();
      const told = await get(`/api/v1/events/${part(id)}/changes`);
      fill(history, told.changes.map(changeRow));
    } catch (error) {
      note.textContent =
        error.status === 404 ? 'There is no event of this id; the store keeps events for a time only.' : error.message;
    }
  };
  const off = model.on('event', (changed) => {
    if (changed.id !== id) return;
    event = { ...event, ...changed };
    soon(draw);
    load();
  });
  const stop = every(1000, tick);
  load();
  return {
    node,
    title: 'Event',
    acknowledge: () => event?.open && !isKiosk() && acknowledge(event),
    snooze: () => event && !isKiosk() && snooze(event),
    end: () => {
      off();
      stop();
      evidence.end();
    },
  };
}

function factRows(event, duration) {
  const rows = [
    ['Stream', h('a', { href: source(event.stream) }, event.stream)],
    ['Detector', `${event.detector} on ${event.track}`],
    ['Severity', h('span', { class: 'word', 'data-severity': event.severity }, event.severity)],
    ['Highest', event.max_severity !== event.severity ? event.max_severity : null],
    ['State', stateWord(event)],
    ['Explained by', event.parent_id ? h('a', { href: address({ view: 'event', id: event.parent_id }) }, 'another event') : null],
    ['Began', moment(event.started)],
    ['Raised', moment(event.raised)],
    ['Ended', event.open ? null : moment(event.ended)],
    ['Lasted', duration],
    ['Value', say(event.value, event.unit)],
    ['Threshold', say(event.threshold, event.unit)],
    ['Worst', say(event.peak, event.unit)],
    [
      'Media time',
      event.start_s === undefined
        ? null
        : `${fixed(event.start_s, 2)} s${event.end_s === undefined ? '' : ` to ${fixed(event.end_s, 2)} s`}`,
    ],
    ['Coverage', event.coverage === undefined ? null : `${Math.round(event.coverage * 100)} %`],
    ['Acknowledged', event.ackedAt ? `${moment(event.ackedAt)} by ${event.acked_by}` : null],
    ['Snoozed until', event.snoozed ? moment(event.snoozed) : null],
    ['Comment', event.comment],
    ['Profile', event.profile],
    ['Session', event.session],
    ['Node', event.node],
    [
      'Incident',
      event.incident_id
        ? h('a', { href: address({ view: 'incident', id: event.incident_id }) }, event.incident_id)
        : null,
    ],
    ['Runbook', event.runbook_url ? outsideLink(event.runbook_url) : null],
    ['Id', h('span', { class: 'mono' }, event.id)],
    ['Stored', event.stored === false ? 'no: the store did not take it' : null],
  ];
  return rows
    .filter(([, value]) => value !== null && value !== undefined && value !== '')
    .map(([word, value]) => [h('dt', {}, word), word === 'Lasted' ? value : h('dd', {}, value)]);
}

function buttons(event, load) {
  const ack = !event.open
    ? null
    : event.state === 'acked'
      ? h(
          'button',
          { type: 'button', 'data-needs': 'operator', click: () => unacknowledge(event).then(load, complain) },
          'Take back',
        )
      : h(
          'button',
          {
            type: 'button',
            class: 'first',
            'data-needs': 'operator',
            click: async () => {
              if (await acknowledge(event)) load();
            },
          },
          'Acknowledge',
        );
  return [
    ack,
    h(
      'button',
      {
        type: 'button',
        'data-needs': 'operator',
        click: async () => {
          if (await comment(event)) load();
        },
      },
      'Comment',
    ),
    h('button', { type: 'button', 'data-needs': 'operator', click: () => snooze(event) }, 'Snooze'),
  ];
}

/** One change: when, to what, by whom. */
function changeRow(json) {
  const change = shapes.event(json);
  return h(
    'li',
    {},
    h('span', { class: 'mono' }, moment(change.changed)),
    ' ',
    h('b', {}, change.state),
    ' ',
    h('span', { class: 'word', 'data-severity': change.severity }, change.severity),
    change.acked_by && change.state === 'acked' ? ` by ${change.acked_by}` : '',
    change.comment ? h('q', {}, change.comment) : '',
  );
}
