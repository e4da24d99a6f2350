// The page of the node: how loaded it is, how much of its streams it really sees, and how fast it judges.

import { attribute, fill, h, sideways, text } from './dom.js';
import { every, soon } from './frame.js';
import { get } from './api.js';
import { address, isKiosk } from './address.js';
import { testReceiver } from './actions.js';
import { fixed, lasted, latency, metric, now, percent } from './format.js';
import * as shapes from './shapes.js';

const AGAIN = 3000;

/** Streams listed in each table of the worst. */
const LIST = 10;

export function nodePage({ model }) {
  const note = h('p', { class: 'nothing', role: 'status' }, 'Loading …');
  const inner = h('div', { class: 'inner' });
  const node = h('div', { class: 'page', tabindex: '0', role: 'region', 'aria-label': 'Node' }, inner);
  const parts = {
    load: h('dl', { class: 'facts' }),
    streams: h('div', {}),
    stages: h('div', {}),
    drops: h('div', {}),
    restarts: h('div', {}),
    receivers: h('div', {}),
    build: h('dl', { class: 'facts' }),
    cpu: h('div', {}),
  };
  const panel = (title, body) => h('section', { class: 'panel' }, h('h2', {}, title), body);
  const panels = h(
    'div',
    { class: 'columns-of-panels', hidden: true },
    panel('Load', parts.load),
    panel('Streams', parts.streams),
    panel('Latency by stage', parts.stages),
    panel('Time of detectors', parts.cpu),
    panel('Coverage and lanes', parts.drops),
    panel('Restarts', parts.restarts),
    panel('Receivers of notifications', parts.receivers),
    panel('Build', parts.build),
  );
  fill(inner, h('h1', {}, 'Node'), note, panels);
  const table = receiversTable();
  let before = null;
  let isEnded = false;
  const streams = () => drawStreams(parts.streams, model);
  const load = async () => {
    try {
      const status = shapes.status(await get('/api/v1/status'));
      if (isEnded) return;
      attribute(note, 'hidden', true);
      attribute(panels, 'hidden', false);
      draw(parts, status, before);
      streams();
      await loadReceivers(parts.receivers, table);
      before = { ...status, at: performance.now() };
    } catch (error) {
      note.textContent = error.message;
      attribute(note, 'hidden', false);
    }
  };
  const stop = every(AGAIN, load);
  // The list may come after the figures of the node.
  const off = model.on('list', () => soon(streams));
  load();
  return {
    node,
    title: 'Node',
    end: () => {
      isEnded = true;
      stop();
      off();
    },
  };
}

function rows(list) {
  return list
    .filter(([, value]) => value !== null && value !== undefined && value !== '')
    .map(([word, value]) => [h('dt', {}, word), h('dd', {}, value)]);
}

function draw(parts, status, before) {
  const seconds = before ? (performance.now() - before.at) / 1000 : 0;
  const cores = before && status.cpu !== null && before.cpu !== null ? (status.cpu - before.cpu) / seconds : null;
  fill(
    parts.load,
    rows([
      [
        'Processor',
        cores === null ? 'measuring …' : `${fixed(cores, 2)} cores${status.cores ? ` of ${status.cores}` : ''}`,
      ],
      ['Memory', status.memory === null ? null : metric(status.memory, 'B')],
      ['Open files', status.files],
      ['Threads', status.threads],
      ['Running since', status.started === null ? null : `${lasted(now() - status.started)}`],
      ['Health', status.health],
      ['Abandoned threads', status.abandoned],
      ['Store', status.store],
      ['Open pages and listeners', status.clients],
    ]),
  );
  fill(
    parts.build,
    rows([
      ['Node', status.node],
      ['Clone', status.share],
      ['Version', status.version],
      ['FFmpeg', status.ffmpeg],
      ['Last reload', status.reload],
    ]),
  );
  drawStages(parts.stages, status.stages);
  drawCpu(parts.cpu, status.detectorCpu);
  drawWorst(
    parts.drops,
    status.streams,
    'Every stream is seen in full; no lane has dropped a frame.',
    ['Stream', 'Coverage', 'Dropped by lanes', 'Lost on receipt'],
    (stream) => (1 - (stream.coverage ?? 1)) * 1e6 + stream.dropped + stream.lost,
    (stream) => [percent(stream.coverage), stream.dropped.toLocaleString('en'), stream.lost.toLocaleString('en')],
  );
  drawWorst(
    parts.restarts,
    status.streams,
    'No session has ended.',
    ['Stream', 'Restarts', 'Causes'],
    (stream) => stream.restarts.reduce((sum, [, count]) => sum + count, 0),
    (stream) => [
      stream.restarts.reduce((sum, [, count]) => sum + count, 0),
      stream.restarts
        .filter(([, count]) => count > 0)
        .map(([cause, count]) => `${cause} ${count}`)
        .join(', '),
    ],
  );
}

/** Streams by state and by tier, as bars with their numbers. */
function drawStreams(node, model) {
  const states = new Map();
  const tiers = new Map();
  for (const stream of model.streams.values()) {
    const meaning = model.meaning(stream.name);
    states.set(meaning, (states.get(meaning) ?? 0) + 1);
    tiers.set(stream.tier ?? 'full', (tiers.get(stream.tier ?? 'full') ?? 0) + 1);
  }
  fill(
    node,
    h('h3', {}, 'By state'),
    bars([...states], model.streams.size),
    h('h3', {}, 'By tier'),
    bars([...tiers], model.streams.size),
  );
}

function bars(list, total) {
  return h(
    'table',
    { class: 'bars-table' },
    h(
      'tbody',
      {},
      list.map(([word, count]) =>
        h(
          'tr',
          {},
          h('th', { scope: 'row' }, word),
          h('td', { class: 'number' }, count.toLocaleString('en')),
          h(
            'td',
            { class: 'wide' },
            h('meter', { min: 0, max: Math.max(1, total), value: count, 'aria-label': `${word}: ${count}` }),
          ),
        ),
      ),
    ),
  );
}

/** A histogram for each stage: share of all frames by latency, from 0.1 ms to 10 s. */
function drawStages(node, stages) {
  if (stages.length === 0) {
    fill(node, h('p', { class: 'soft' }, 'Nothing measured yet.'));
    return;
  }
  fill(
    node,
    stages.map(({ stage, buckets, count, p50, p95, p99 }) => {
      const shares = buckets.map(([edge, upTo], index) => [
        edge,
        count > 0 ? (upTo - (buckets[index - 1]?.[1] ?? 0)) / count : 0,
      ]);
      const most = Math.max(0.0001, ...shares.map(([, share]) => share));
      const columns = shares.map(([edge, share]) => {
        const column = h('span', {
          class: share > 0 ? 'column' : 'column none',
          title: `up to ${latency(edge)}: ${percent(share)}`,
        });
        column.style.height = `${share > 0 ? Math.max(4, (share / most) * 100) : 2}%`;
        return column;
      });
      const words = `${stage}: half within ${latency(p50)}, 95 % within ${latency(p95)}, 99 % within ${latency(p99)}`;
      return h(
        'div',
        { class: 'stage' },
        h('b', {}, stage),
        h('div', { class: 'columns', role: 'img', 'aria-label': words }, columns),
        h('span', { class: 'soft' }, `p50 ${latency(p50)}  p95 ${latency(p95)}  p99 ${latency(p99)}`),
      );
    }),
    h('p', { class: 'soft' }, 'Columns from 0.1 ms to 10 s, in steps of 1, 2.5 and 5; since the start.'),
  );
}

function drawCpu(node, detectors) {
  const total = detectors.reduce((sum, [, seconds]) => sum + seconds, 0);
  if (total === 0) fill(node, h('p', { class: 'soft' }, 'Nothing measured yet.'));
  else {
    const most = [...detectors].sort((one, other) => other[1] - one[1]).slice(0, LIST);
    fill(
      node,
      h(
        'table',
        { class: 'bars-table' },
        h(
          'tbody',
          {},
          most.map(([name, seconds]) =>
            h(
              'tr',
              {},
              h('th', { scope: 'row' }, name),
              h('td', { class: 'number' }, percent(seconds / total)),
              h(
                'td',
                { class: 'wide' },
                h('meter', {
                  min: 0,
                  max: 1,
                  value: seconds / total,
                  'aria-label': `${name}: ${percent(seconds / total)}`,
                }),
              ),
            ),
          ),
        ),
      ),
    );
  }
}

async function loadReceivers(node, table) {
  try {
    drawReceivers(node, table, shapes.receivers(await get('/api/v1/receivers')));
  } catch (error) {
    fill(node, h('p', { class: 'soft' }, error.message));
  }
}

/** The table of receivers, made once: its rows stay, so that a look every few seconds takes nobody's focus. */
function receiversTable() {
  const heads = ['Receiver', 'State', 'Waiting', 'Parked', 'Last error', isKiosk() ? null : 'Test'].filter(Boolean);
  const body = h('tbody', {});
  const node = sideways(
    'Receivers',
    h('table', {}, h('thead', {}, h('tr', {}, heads.map((head) => h('th', { scope: 'col' }, head)))), body),
  );
  return { node, body, rows: new Map() };
}

/** Who is notified, and how that goes. */
function drawReceivers(node, table, receivers) {
  if (receivers.length === 0) {
    fill(node, h('p', { class: 'soft' }, 'Nobody is notified: the configuration has no receivers.'));
    return;
  }
  const { body, rows } = table;
  const names = receivers.map((one) => one.name);
  for (const name of rows.keys()) if (!names.includes(name)) rows.delete(name);
  for (const one of receivers) {
    if (!rows.has(one.name)) rows.set(one.name, receiverRow(one.name));
    rows.get(one.name).draw(one);
  }
  const wanted = names.map((name) => rows.get(name).node);
  const isSame = wanted.length === body.children.length && wanted.every((row, index) => row === body.children[index]);
  if (!isSame) fill(body, wanted);
  if (table.node.parentNode !== node) fill(node, table.node);
}

function receiverRow(name) {
  const head = h('th', { scope: 'row' });
  const cells = [1, 2, 3, 4].map(() => h('td', {}));
  const node = h('tr', {}, head, cells, isKiosk() ? null : h('td', {}, testButton(name)));
  const waiting = (one) => (one.pending > 0 ? `${one.pending.toLocaleString('en')}, ${lasted(one.oldest * 1000)}` : '0');
  const draw = (one) => {
    text(head, `${one.name} (${one.kind})`);
    attribute(head, 'title', one.target);
    const values = [one.state, waiting(one), one.parked.toLocaleString('en'), one.error];
    for (const [index, value] of values.entries()) text(cells[index], value);
  };
  return { node, draw };
}

function testButton(name) {
  const press = async () => {
    button.disabled = true;
    await testReceiver(name);
    button.disabled = false;
    // A button that is disabled loses the focus; it gets it back unless it went elsewhere meanwhile.
    if (document.activeElement === document.body) button.focus();
  };
  const button = h(
    'button',
    { type: 'button', class: 'small', 'aria-label': `Test ${name}`, 'data-needs': 'operator', click: press },
    'Test',
  );
  return button;
}

function drawWorst(node, streams, calm, heads, weight, cells) {
  const worst = streams
    .map((stream) => ({ stream: { coverage: null, dropped: 0, lost: 0, restarts: [], ...stream } }))
    .map(({ stream }) => ({ stream, weight: weight(stream) }))
    .filter((one) => one.weight > 0)
    .sort((one, other) => other.weight - one.weight)
    .slice(0, LIST);
  if (worst.length === 0) fill(node, h('p', { class: 'soft' }, calm));
  else {
    fill(
      node,
      sideways(
        heads.slice(1).join(', '),
        h(
          'table',
          {},
          h(
            'thead',
            {},
            h(
              'tr',
              {},
              heads.map((head) => h('th', { scope: 'col' }, head)),
            ),
          ),
          h(
            'tbody',
            {},
            worst.map(({ stream }) =>
              h(
                'tr',
                {},
                h(
                  'th',
                  { scope: 'row' },
                  h('a', { href: address({ view: 'stream', name: stream.name }) }, stream.name),
                ),
                cells(stream).map((cell) => h('td', {}, cell)),
              ),
            ),
          ),
        ),
      ),
    );
  }
}
