// A stand-in for the service: as many streams as asked for, events that come and go, readings every
// second. It serves the dashboard from its source folder. For measuring with 1,000 streams, which this
// machine could not decode, and for faults that the real service cannot be made to have.
//
//   node tests/dashboard/mock.mjs [--streams 1000] [--port 0] [--calm]

import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { history, iso, RECEIVERS, seen, status, tried } from './mock_answers.mjs';
import { clip, pictures } from './mock_media.mjs';

const ASSETS = fileURLToPath(new URL('../../src/dashboard/assets', import.meta.url));
const TYPES = { '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.html': 'text/html' };
const DETECTORS = ['black', 'freeze', 'silence', 'loudness', 'bitrate', 'decode_error', 'input_down', 'clipping'];
const SEVERITIES = ['info', 'warning', 'minor', 'major', 'critical'];
const SITES = ['north', 'south', 'east', 'west'];
const GROUPS = ['contribution', 'distribution', 'radio', 'backup'];

/** The same headers as the service's. */
const CSP = readFileSync(fileURLToPath(new URL('../../src/dashboard/policy.txt', import.meta.url)), 'utf8').trim();

const random = (() => {
  let seed = 12345;
  return () => {
    seed = (seed * 1103515245 + 12345) & 0x7fffffff;
    return seed / 0x7fffffff;
  };
})();
const pick = (list) => list[Math.floor(random() * list.length)];

export class Mock {
  constructor({ streams = 48, calm = false, token = null, role = 'admin' } = {}) {
    this.role = role;
    this.token = token;
    this.calm = calm;
    this.sequence = 0;
    this.listeners = new Set();
    this.streams = new Map();
    this.events = new Map();
    this.notes = [];
    this.evidence = new Map();
    this.incidents = new Map();
    this.silences = [];
    this.requests = [];
    this.tries = [];
    this.noThumbnails = false;
    this.watchedSince = 0;
    this.historyLate = 1;
    for (let index = 1; index <= streams; index += 1) this.addStream(index);
    if (!calm) for (let index = 0; index < Math.min(streams / 6, 40); index += 1) this.raise();
    this.past(streams);
  }

  addStream(index) {
    const name = `ch-${String(index).padStart(4, '0')}`;
    this.streams.set(name, {
      name,
      title: `${pick(['News', 'Sport', 'Kids', 'Film', 'Music', 'Regional', 'Parliament'])} ${index}`,
      state: random() < 0.01 ? 'waiting' : random() < 0.006 ? 'quarantined' : 'live',
      up: true,
      mode: random() < 0.03 ? 'observe' : 'live',
      profile: 'ott',
      tier: 'full',
      priority: 5,
      origin: 'file',
      url: `srt://192.0.2.${index % 250}:9000`,
      labels: { site: pick(SITES), group: pick(GROUPS) },
      session: 1,
      coverage: 1,
      bitrate: 5.2e6,
      frame_rate: 25,
      lane_dropped: 0,
      receive_dropped: 0,
      restarts: {},
      tracks: [
        { track: 'video:0', codec: 'h264', width: 1920, height: 1080, frame_rate: 25, frames: 1000, coverage: 1 },
        {
          track: 'audio:0',
          codec: 'aac',
          sample_rate: 48000,
          channels: 2,
          layout: 'stereo',
          frames: 1900,
          coverage: 1,
        },
      ],
    });
  }

  event(stream, detector, severity, started, more = {}) {
    this.sequence += 1;
    const id = `${started.toString(16).padStart(12, '0')}-${String(this.sequence).padStart(8, '0')}`;
    const event = {
      schema: 'avwatch.event/1',
      id,
      change_id: id,
      sequence: this.sequence,
      fingerprint: 'f',
      stream,
      track: detector === 'silence' ? 'audio:0' : 'video:0',
      detector,
      severity,
      max_severity: severity,
      state: 'raised',
      started_at: iso(started),
      raised_at: iso(started + 2000),
      changed_at: iso(started + 2000),
      start_s: 12.5,
      value: 1,
      threshold: 0.98,
      peak: 1,
      unit: 'ratio',
      message: `${detector.replaceAll('_', ' ')} for a while`,
      profile: 'ott',
      labels: this.streams.get(stream)?.labels ?? {},
      session: 1,
      node: 'mock',
      ...more,
    };
    this.events.set(id, event);
    return event;
  }

  past(streams) {
    const names = [...this.streams.keys()];
    for (let index = 0; index < streams * 2; index += 1) {
      const started = Date.now() - Math.floor(random() * 24 * 3600_000);
      const ended = Math.min(Date.now(), started + Math.floor(random() * 900_000));
      this.event(pick(names), pick(DETECTORS), pick(SEVERITIES), started, {
        state: 'ended',
        end_reason: 'cleared',
        ended_at: iso(ended),
        changed_at: iso(ended),
        end_s: 20,
      });
    }
  }

  raise(stream, detector = pick(DETECTORS), severity = pick(SEVERITIES), more = {}) {
    const name = stream ?? pick([...this.streams.keys()]);
    const event = this.event(name, detector, severity, Date.now() - 3000 - Math.floor(random() * 60_000), more);
    this.tell('event', event);
    return event;
  }

  change(event, values) {
    this.sequence += 1;
    Object.assign(event, values, { sequence: this.sequence, changed_at: iso(Date.now()) });
    this.tell('event', event);
  }

  end(event) {
    this.change(event, { state: 'ended', end_reason: 'cleared', ended_at: iso(Date.now()) });
  }

  /** Gives an event a clip of that container, pictures and curves. */
  giveEvidence(event, container) {
    const name = container === 'mp4' ? 'clip.mp4' : 'clip.ts';
    this.evidence.set(event.id, {
      'evidence.json': {
        schema: 'avwatch.evidence/1',
        event: event.id,
        clip: { file: name, container, bytes: 1, before_s: 3, after_s: 3, key: true },
        pictures: [-2, -1, 0, 1, 2].map((at, index) => ({
          file: `${index}.jpg`,
          shows: at === 0 ? 'onset' : 'strip',
          at_s: at,
        })),
        trace: 'trace.json',
        missing: [],
      },
      'trace.json': {
        curves: {
          'audio:0': {
            channels: [1, 2].map((channel) => ({
              peak: Array.from({ length: 48 }, (_, index) => [index / 8 - 3, 0, 0.2, index > 24 ? 0 : 0.5 / channel]),
            })),
          },
        },
      },
      [name]: clip(container),
    });
    event.evidence = `/api/v1/events/${event.id}/evidence`;
  }

  /** Begins or changes an incident of these events. */
  incident(id, events, more = {}) {
    const now = iso(Date.now());
    const open = events.filter((event) => event.state !== 'ended');
    this.changes = (this.changes ?? 0) + 1;
    const incident = {
      schema: 'avwatch.incident/1',
      id,
      change_id: `${id}-${this.changes}`,
      kind: 'group',
      state: open.length > 0 ? 'open' : 'ended',
      severity: 'major',
      common: { host: 'origin.example' },
      started_at: iso(Date.now() - 60_000),
      changed_at: now,
      ended_at: open.length > 0 ? undefined : now,
      message: `host origin.example: ${events.length} of ${events.length} streams fail, first input_down`,
      causes: [`host origin.example: ${events.length} of ${events.length} streams`, 'input_down on all of them'],
      evidence: ['streams that began to fail within 30 s of each other'],
      streams: events.map((event) => event.stream).sort(),
      events: events.map((event) => event.id),
      events_total: events.length,
      events_open: open.length,
      node: 'mock',
      ...more,
    };
    for (const event of events) event.incident_id = id;
    this.incidents.set(id, incident);
    this.tell('incident', incident);
    return incident;
  }

  open() {
    return [...this.events.values()].filter((event) => event.state !== 'ended');
  }

  tell(kind, data) {
    const message = `id: ${this.sequence}\nevent: ${kind}\ndata: ${JSON.stringify(data)}\n\n`;
    for (const listener of this.listeners) listener.write(message);
  }

  meters() {
    const second = Math.floor(Date.now() / 1000);
    const streams = {};
    for (const stream of this.streams.values()) {
      if (stream.state !== 'live') continue;
      const level = -22 - 6 * Math.sin(second / 3 + stream.name.length) - random() * 4;
      const channel = { rms_dbfs: level, peak_dbfs: level + 9 };
      streams[stream.name] = {
        second,
        up: true,
        coverage: 1,
        bitrate_bps: 5e6 + random() * 1e6,
        frame_rate: 25,
        latency_s: { p50: 0.0003 + random() * 0.0001, p95: 0.0009 + random() * 0.0002, p99: 0.002 + random() * 0.001 },
        pictures: [
          {
            track: 'video:0',
            frames: 25,
            damaged: 0,
            luma_mean: 90 + 20 * Math.sin(second / 9),
            difference: 3 + random(),
            coverage: 1,
          },
        ],
        sounds: [
          {
            track: 'audio:0',
            momentary_lufs: level - 1,
            short_term_lufs: level - 1.5,
            channels: [channel, { rms_dbfs: level - 1, peak_dbfs: level + 8 }],
            coverage: 1,
          },
        ],
      };
    }
    this.tell('meters', { at: iso(Date.now()), streams });
  }

  /** Begins to live: readings every second, events that come and go. */
  async start(port = 0) {
    this.pictures = pictures();
    this.timers = [setInterval(() => this.meters(), 1000)];
    if (!this.calm) {
      this.timers.push(
        setInterval(() => {
          const open = this.open();
          if (open.length > this.streams.size / 12) this.end(pick(open));
          this.raise();
        }, 1500),
      );
    }
    this.server = createServer((request, response) => this.answer(request, response));
    await new Promise((done) => this.server.listen(port, '127.0.0.1', done));
    this.address = `http://127.0.0.1:${this.server.address().port}`;
    return this.address;
  }

  stop() {
    for (const timer of this.timers) clearInterval(timer);
    for (const listener of this.listeners) listener.end();
    this.server.closeAllConnections();
    this.server.close();
  }

  async answer(request, response) {
    if (
      this.token &&
      request.headers.authorization !== `Basic ${Buffer.from(`kiosk:${this.token}`).toString('base64')}`
    ) {
      response.writeHead(401, { 'www-authenticate': 'Basic realm="avwatch"' }).end();
      return undefined;
    }
    const url = new URL(request.url, 'http://mock');
    const parts = url.pathname.split('/').filter(Boolean).map(decodeURIComponent);
    this.requests.push(`${request.method} ${url.pathname}`);
    let body = '';
    for await (const chunk of request) body += chunk;
    const json = body ? JSON.parse(body) : null;
    const give = (value, status = 200) => {
      response.writeHead(status, { 'content-type': status < 400 ? 'application/json' : 'application/problem+json' });
      response.end(value === null ? undefined : JSON.stringify(value));
    };
    const missing = () => give({ title: 'Not Found', status: 404 }, 404);
    if (parts.length === 0 || parts[0] === 'assets') return this.asset(parts, response, missing);
    if (parts[0] !== 'api') return missing();
    const [, , kind, id, act, file] = parts;
    if (act === 'evidence') return this.evidenceRoute(id, file, response, missing);
    if (kind === 'live') return this.live(request, response);
    if (kind === 'streams') return this.streamRoute(request, { id, act, json, url }, response, give, missing);
    if (kind === 'events') return this.eventRoute({ id, act, json, url }, give, missing);
    if (kind === 'incidents') return this.incidentRoute({ id, url }, give, missing);
    if (kind === 'silences') return this.rows(request.method, this.silences, 'silences', id, json, give);
    if (kind === 'notes')
      return this.rows(request.method, this.notes, 'notes', id, json && { ...json, at: iso(Date.now()) }, give);
    if (kind === 'seen') return give(seen(url, [...this.streams.keys()], this.watchedSince));
    if (kind === 'status') return give(status(this.listeners.size));
    if (kind === 'receivers' && !id) return give({ receivers: RECEIVERS });
    if (kind === 'receivers' && act === 'test' && request.method === 'POST') {
      this.tries.push(id);
      return give(...tried(id, this.tries));
    }
    return missing();
  }

  incidentRoute({ id, url }, give, missing) {
    if (id) return this.incidents.has(id) ? give(this.incidents.get(id)) : missing();
    const wanted = url.searchParams.get('state');
    const all = [...this.incidents.values()].filter((incident) => !wanted || incident.state === wanted);
    return give({ incidents: all });
  }

  asset(parts, response, missing) {
    const name = parts.length === 0 ? 'index.html' : parts.at(-1);
    if (!readdirSync(ASSETS).includes(name)) return missing();
    let body = readFileSync(join(ASSETS, name));
    if (name === 'index.html') body = body.toString().replaceAll('{version}', 'dev').replace('{modules}', '');
    response.writeHead(200, {
      'content-type': TYPES[extname(name)],
      'content-security-policy': CSP,
      'x-content-type-options': 'nosniff',
    });
    return response.end(body);
  }

  live(request, response) {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(`retry: 2000\n\nevent: hello\ndata: {"version":"0.1.0","sequence":${this.sequence},"role":"${this.role}"}\n\n`);
    this.listeners.add(response);
    response.on('close', () => this.listeners.delete(response));
  }

  streamRoute({ method, headers }, { id, act, json, url }, response, give, missing) {
    if (!id && method === 'POST') {
      if (!/^[\w.-]+$/.test(json.name ?? ''))
        return give({ title: 'Unprocessable Content', status: 422, detail: 'name: letters, digits, - _ . only' }, 422);
      const stream = {
        ...json,
        state: 'opening',
        up: false,
        origin: 'api',
        tier: 'full',
        tracks: [],
        coverage: null,
        labels: json.labels ?? {},
      };
      this.streams.set(json.name, stream);
      this.tell('stream', stream);
      return give(stream, 201);
    }
    if (!id) return give({ streams: [...this.streams.values()] });
    const stream = this.streams.get(id);
    if (!stream) return missing();
    if (act === 'thumbnail') {
      if (this.noThumbnails) return missing();
      const kind = this.pictures[Number(id.slice(-2)) % this.pictures.length] ?? this.pictures[0];
      response.writeHead(200, {
        'content-type': 'image/jpeg',
        'last-modified': new Date(this.thumbnailsAt ?? Date.now()).toUTCString(),
      });
      return response.end(kind[Math.floor(Date.now() / 500) % kind.length]);
    }
    if (act === 'history') return give(history(url, this));
    if (method === 'DELETE') {
      this.streams.delete(id);
      this.tell('stream_removed', { name: id });
      return give(null, 204);
    }
    if (method === 'PUT') {
      const condition = headers['if-match'];
      if (condition && condition !== `"r${stream.revision ?? 1}"`)
        return give({ title: 'it was changed meanwhile: read it again', status: 412 }, 412);
      Object.assign(stream, json, { revision: (stream.revision ?? 1) + 1 });
      this.tell('stream', stream);
    }
    if (stream.origin === 'api') response.setHeader('etag', `"r${stream.revision ?? 1}"`);
    const { name, title, url: source, mode, profile, priority, labels, expect, runbook_url: runbook } = stream;
    return give({
      ...stream,
      settings:
        stream.origin === 'api'
          ? { name, title, url: source, mode, profile, priority, labels, expect, runbook_url: runbook }
          : undefined,
    });
  }

  eventRoute({ id, act, json, url }, give, missing) {
    if (!id) {
      const wanted = Object.fromEntries(url.searchParams);
      const fits = (event) =>
        (!wanted.state || (wanted.state === 'open') === (event.state !== 'ended')) &&
        ['stream', 'detector', 'severity'].every((key) => !wanted[key] || wanted[key] === event[key]) &&
        (!wanted.incident || event.incident_id === wanted.incident) &&
        (!wanted.cursor || event.id < wanted.cursor) &&
        (!wanted.since?.includes('T') || event.state !== 'ended' || event.changed_at >= wanted.since) &&
        (!wanted.until || event.started_at < wanted.until);
      const all = [...this.events.values()].filter(fits).sort((one, other) => (one.id < other.id ? 1 : -1));
      const limit = Number(wanted.limit ?? 100);
      return give({ events: all.slice(0, limit), next_cursor: all.length > limit ? all[limit - 1].id : null });
    }
    const event = this.events.get(id);
    if (!event) return missing();
    if (act === 'changes') return give({ changes: [event] });
    if (act === 'ack')
      this.change(event, { state: 'acked', acked_by: json.author, acked_at: iso(Date.now()), comment: json.comment });
    if (act === 'unack') this.change(event, { state: 'raised', acked_by: undefined, acked_at: undefined });
    if (act === 'comment') this.change(event, { comment: json.comment });
    return give(event);
  }

  evidenceRoute(id, file, response, missing) {
    const found = this.evidence.get(id);
    if (!found) return missing();
    if (file?.endsWith('.jpg'))
      return response.writeHead(200, { 'content-type': 'image/jpeg' }).end(this.pictures[1][Number.parseInt(file, 10)]);
    const body = found[file ?? 'evidence.json'];
    if (!body) return missing();
    const isBytes = Buffer.isBuffer(body);
    response.writeHead(200, { 'content-type': isBytes ? 'application/octet-stream' : 'application/json' });
    return response.end(isBytes ? body : JSON.stringify(body));
  }

  rows(method, rows, key, id, json, give) {
    if (method === 'POST') {
      const row = { id: String(rows.length + 1), ...json };
      rows.unshift(row);
      return give(row, 201);
    }
    if (method === 'DELETE') {
      rows.splice(
        rows.findIndex((row) => row.id === id),
        1,
      );
      return give(null, 204);
    }
    return give({ [key]: rows });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const value = (name, otherwise) => {
    const at = process.argv.indexOf(name);
    return at < 0 ? otherwise : Number(process.argv[at + 1]);
  };
  const mock = new Mock({ streams: value('--streams', 48), calm: process.argv.includes('--calm') });
  console.log(await mock.start(value('--port', 0)));
}
