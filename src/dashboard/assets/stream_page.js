// The page of one stream: picture and bars, what is wrong, plots, strips, tracks, its events.

import { attribute, fill, h, outsideLink, sideways, text } from './dom.js';
import { every, soon } from './frame.js';
import { get, part } from './api.js';
import { address, isKiosk } from './address.js';
import { acknowledge, removeStream, snooze, unacknowledge } from './actions.js';
import { editStream } from './stream_form.js';
import { drawBars } from './bars.js';
import { describe, drawStrip, SPANS } from './strip.js';
import { EventTable, stateWord } from './event_row.js';
import { brief, fixed, metric, now, percent } from './format.js';
import { Picture, STALE } from './thumbs.js';
import { setSign, sign } from './severity.js';
import { History } from './history.js';
import { Silences } from './silences.js';
import { complain } from './toast.js';
import * as shapes from './shapes.js';

/** Ended events shown. */
const EVENTS = 50;

const BAR_HEIGHT = 230;

/** How often everything that is known of the stream is read, in milliseconds. */
const DETAIL = 5000;

export function streamPage(context, { name }) {
  const { model } = context;
  const parts = build(name);
  const shot = new Picture(parts.image);
  const viewer = { name, picture: (picture) => shot.set(picture, () => tick()) };
  const history = new History(model, name, parts.plots);
  const silences = new Silences(name);
  parts.open.after(silences.node);
  parts.snoozed = () => silences.load();
  const table = new EventTable({ withStream: false, caption: `Events of ${name}` });
  parts.events.append(table.node);
  let past = [];
  let pastFrom = Infinity;
  let detail = {};

  const worst = () => model.openOf(name)[0];
  const update = () => {
    const stream = model.streams.get(name);
    attribute(parts.gone, 'hidden', Boolean(stream) || !model.loaded);
    if (!stream) return;
    text(parts.title, stream.title || name);
    text(parts.sub, stream.title ? name : '');
    setSign(parts.sign, model.worst(name)?.severity ?? null);
    facts(parts, { ...stream, ...detail }, model.meaning(name), model.meters.get(name));
    open(parts.open, model.openOf(name));
    const isFile = stream.origin === 'file';
    for (const button of [parts.edit, parts.remove]) {
      attribute(button, 'disabled', isFile);
      attribute(button, 'title', isFile ? 'From a configuration file: change it there' : null);
    }
    events();
    tick();
  };
  const known = () => {
    const all = new Map(past.map((event) => [event.id, event]));
    for (const event of model.eventsOf(name)) all.set(event.id, event);
    return [...all.values()];
  };
  const events = () => {
    table.set(known().sort((one, other) => (one.id < other.id ? 1 : -1)).slice(0, EVENTS));
  };
  const tick = () => {
    const age = shot.age();
    const isStale = (age !== null && age > STALE) || model.feed.state === 'lost';
    attribute(parts.frame, 'data-stale', isStale);
    text(parts.mark, isStale ? `STALE${age === null ? '' : ` ${brief(age)}`}` : '');
    attribute(parts.noPicture, 'hidden', age !== null);
  };
  const meters = () => {
    const newest = model.meters.get(name);
    const old = drawBars(parts.bars, newest, BAR_HEIGHT);
    text(parts.levels, levelWords(newest, old));
    history.add(newest);
    const stream = model.streams.get(name);
    if (stream) facts(parts, { ...stream, ...detail }, model.meaning(name), newest);
  };
  const strips = () => {
    const all = known();
    const seen = model.seenOf(name, Math.min(pastFrom, model.pastFrom));
    for (const [span, canvas, words] of parts.strips) {
      drawStrip(canvas, all, SPANS[span], canvas.clientWidth || 600, 22, seen);
      text(words, describe(all, SPANS[span], seen));
    }
  };
  const load = async () => {
    try {
      const answer = await get('/api/v1/events', { stream: name, limit: EVENTS });
      past = answer.events.map(shapes.event);
      // With all of its events there is nothing of which it is not known what happened.
      if (!answer.next_cursor) pastFrom = 0;
      soon(events);
      soon(strips);
    } catch (error) {
      complain(error);
    }
  };
  const look = async () => {
    try {
      detail = shapes.stream(await get(`/api/v1/streams/${part(name)}`));
    } catch {
      // Gone, or not there yet: the list says so.
      detail = {};
    }
    soon(update);
  };
  const ends = [
    every(DETAIL, look),
    model.on('stream', (changed) => {
      if (changed === name) {
        soon(update);
        soon(strips);
      }
    }),
    model.on('list', () => soon(update)),
    model.on('past', () => soon(strips)),
    model.on('feed', ({ state }) => {
      // What comes and goes until it is back may not come again.
      if (state === 'lost') pastFrom = Infinity;
    }),
    model.on('meters', () => soon(meters)),
    every(1000, tick),
    every(10_000, strips),
  ];
  update();
  soon(strips);
  soon(meters);
  load();
  look();
  history.load();
  context.thumbnails.want(viewer);
  return {
    node: parts.node,
    title: name,
    acknowledge: () => worst() && !isKiosk() && acknowledge(worst()),
    snooze: () => !isKiosk() && snooze(worst() ?? { stream: name }),
    end: () => {
      for (const end of ends) end();
      context.thumbnails.drop(viewer);
      shot.clear();
      history.end();
      silences.end();
      table.end();
    },
  };
}

function build(name) {
  const parts = {
    title: h('h1', {}, name),
    sub: h('span', { class: 'soft mono' }),
    sign: sign(null),
    image: h('img', { alt: `Newest picture of ${name}`, hidden: true }),
    mark: h('span', { class: 'mark' }),
    noPicture: h('span', { class: 'no-picture' }, 'no picture'),
    bars: h('canvas', { class: 'bars', width: 0, height: 0, 'aria-hidden': 'true' }),
    levels: h('p', { class: 'soft levels' }),
    facts: h('dl', { class: 'facts' }),
    open: h('div', {}),
    tracks: sideways('Tracks'),
    plots: h('div', { class: 'plots' }),
    events: h('section', { class: 'panel' }, h('h2', {}, 'Events')),
    gone: h('p', { class: 'nothing', hidden: true }, 'There is no stream of this name. It may have been removed.'),
    edit: h('button', { type: 'button', 'data-needs': 'admin', click: () => editStream(name) }, 'Edit'),
    remove: h(
      'button',
      {
        type: 'button',
        class: 'danger',
        'data-needs': 'admin',
        click: async () => {
          if (await removeStream(name)) history.back();
        },
      },
      'Remove',
    ),
  };
  parts.frame = h(
    'div',
    { class: 'tile shot' },
    h('div', { class: 'picture' }, parts.image, parts.noPicture, parts.bars, parts.mark),
  );
  parts.strips = ['2h', '24h'].map((span) => [
    span,
    h('canvas', { class: 'strip', width: 1, height: 1, 'aria-hidden': 'true' }),
    h('span', { class: 'soft' }),
  ]);
  const buttons = isKiosk()
    ? null
    : [
        h(
          'button',
          {
            type: 'button',
            'data-needs': 'operator',
            click: async () => {
              if (await snooze({ stream: name })) parts.snoozed?.();
            },
          },
          'Snooze',
        ),
        parts.edit,
        parts.remove,
      ];
  parts.node = h(
    'div',
    { class: 'page', tabindex: '0', role: 'region', 'aria-label': 'Stream' },
    h(
      'div',
      { class: 'inner' },
      parts.gone,
      h(
        'div',
        { class: 'row' },
        parts.sign,
        parts.title,
        parts.sub,
        h('span', { class: 'grow' }),
        buttons && h('span', { class: 'row' }, buttons),
      ),
      h(
        'div',
        { class: 'panels lead' },
        h('section', { class: 'panel', 'aria-label': 'Picture and levels' }, parts.frame, parts.levels),
        h(
          'section',
          { class: 'panel' },
          h('h2', {}, 'Open events'),
          parts.open,
          h('h2', { class: 'second' }, 'Now'),
          parts.facts,
        ),
      ),
      h(
        'section',
        { class: 'panel' },
        h('h2', {}, 'History'),
        parts.strips.map(([span, canvas, words]) =>
          h('div', { class: 'strip-row' }, h('b', {}, span.replace('h', ' h')), canvas, words),
        ),
      ),
      h('section', { class: 'panel', 'aria-label': 'Plots' }, parts.plots),
      h('section', { class: 'panel' }, h('h2', {}, 'Tracks'), parts.tracks),
      parts.events,
    ),
  );
  return parts;
}

function levelWords(meters, old) {
  if (!meters || old) return old ? 'Levels: old readings' : 'No levels yet';
  const tracks = meters.tracks.filter((track) => track.levels.length > 0 || track.momentary !== null);
  return (
    tracks
      .map(
        (track) =>
          `${track.track} ${track.levels.map((level) => fixed(level, 0)).join(' / ')} dBFS, ${fixed(track.momentary, 1)} LUFS`,
      )
      .join('; ') || 'No sound'
  );
}

function facts(parts, stream, meaning, meters) {
  const rows = [
    ['State', stream.error && meaning !== 'live' ? `${meaning}: ${stream.error}` : meaning],
    ['Watched', [stream.tier, stream.mode === 'observe' ? 'observed only' : null].filter(Boolean).join(', ')],
    ['Coverage', percent(meters?.coverage)],
    ['Bit rate', metric(meters?.bitrate ?? NaN, 'bit/s')],
    ['Frame rate', fixed(meters?.frameRate, 2, 'fps')],
    ['Dropped by lanes', stream.dropped || null],
    ['Lost on receipt', stream.lost || null],
    ['Sessions ended', (stream.restarts ?? []).map(([cause, count]) => `${cause} ${count}`).join(', ')],
    ['Profile', stream.profile],
    ['Priority', stream.priority],
    ['Session', stream.session],
    ['Address', stream.url],
    ['Origin', { file: 'configuration file', api: 'added here' }[stream.origin]],
    [
      'Labels',
      Object.entries(stream.labels).map(([name, value]) =>
        h('a', { class: 'tag', href: address({ view: 'wall', label: `${name}=${value}` }) }, `${name}=${value}`),
      ),
    ],
    ['Runbook', stream.runbook ? outsideLink(stream.runbook) : null],
  ].filter(([, value]) => value !== null && value !== undefined && value !== '' && value.length !== 0);
  const key = JSON.stringify(rows.map(([, value]) => String(value))) + JSON.stringify(stream.labels);
  if (parts.factsKey !== key) {
    parts.factsKey = key;
    fill(
      parts.facts,
      rows.map(([word, value]) => [h('dt', {}, word), h('dd', {}, value)]),
    );
  }
  const tracks = JSON.stringify(stream.tracks ?? []);
  if (parts.tracksKey !== tracks) {
    parts.tracksKey = tracks;
    drawTracks(parts.tracks, stream.tracks ?? []);
  }
}

function drawTracks(node, tracks) {
  if (tracks.length === 0) fill(node, h('p', { class: 'soft' }, 'None yet.'));
  else {
    fill(
      node,
      h(
        'table',
        {},
        h(
          'thead',
          {},
          h(
            'tr',
            {},
            ['Track', 'Codec', 'Format', 'Language', 'PID', 'Frames', 'Coverage'].map((head) =>
              h('th', { scope: 'col' }, head),
            ),
          ),
        ),
        h(
          'tbody',
          {},
          tracks.map((track) =>
            h(
              'tr',
              {},
              h('th', { scope: 'row', class: 'mono' }, track.track),
              h('td', {}, track.codec ?? '–'),
              h('td', {}, format(track)),
              h('td', {}, [track.language, track.role].filter(Boolean).join(', ') || '–'),
              h('td', {}, track.pid ?? '–'),
              h('td', {}, (track.frames ?? track.frames_total ?? 0).toLocaleString('en')),
              h('td', {}, percent(track.coverage)),
            ),
          ),
        ),
      ),
    );
  }
}

function format(track) {
  if (track.width)
    return `${track.width}×${track.height}${track.frame_rate ? `, ${fixed(track.frame_rate, 2)} fps` : ''}`;
  if (track.sample_rate) return `${track.sample_rate} Hz, ${track.layout ?? `${track.channels} channels`}`;
  return '–';
}

function open(node, events) {
  const key = JSON.stringify(events.map((event) => [event.id, event.sequence]));
  if (node.dataset.key === key) return;
  node.dataset.key = key;
  if (events.length === 0) fill(node, h('p', { class: 'soft' }, 'None.'));
  else {
    fill(
      node,
      h(
        'ul',
        { class: 'open-events', role: 'list' },
        events.map((event) =>
          h(
            'li',
            { 'data-severity': event.severity },
            sign(event.severity),
            h(
              'a',
              { class: 'grow', href: address({ view: 'event', id: event.id }) },
              h('span', { class: 'word', 'data-severity': event.severity }, event.severity),
              ` ${event.message || event.detector}`,
            ),
            h('span', { class: 'soft' }, `${event.track}, ${stateWord(event)}, since ${brief(now() - event.started)}`),
            isKiosk() ? null : buttons(event),
          ),
        ),
      ),
    );
  }
}

function buttons(event) {
  const small = (word, click, label = null) =>
    h('button', { type: 'button', class: 'small', 'aria-label': label, 'data-needs': 'operator', click }, word);
  const ack =
    event.state === 'acked'
      ? small('Take back', () => unacknowledge(event).catch(complain))
      : small('Acknowledge', () => acknowledge(event));
  return h(
    'span',
    { class: 'row' },
    ack,
    small('Snooze', () => snooze(event), `Snooze ${event.detector}`),
  );
}
