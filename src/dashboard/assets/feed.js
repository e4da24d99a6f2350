// The live feed: one connection for the whole page. Read with fetch and not with EventSource, which
// says neither why it failed nor when it fell silent; what was missed comes again by `Last-Event-ID`, and
// after a gap everything is read anew.

import { ask, get } from './api.js';
import { idle } from './frame.js';
import { now } from './format.js';
import { setRole } from './role.js';
import * as shapes from './shapes.js';

/** Waits between attempts, in milliseconds; the last one repeats. */
const WAITS = [500, 1000, 2000, 5000, 10_000];

/** Longest silence before the connection is given up: the server says something every 15 s. */
const SILENCE = 40_000;

/** Events asked for in one page, and most pages read for the strips of the last day. */
const PAGE = 500;
const PAGES_MAX = 20;

/** Most pages read of what was raised before all that and ended since. */
const OLDER_PAGES_MAX = 4;

/** What strips show. */
const DAY = 24 * 3600_000;

/** How often it is read when streams were seen, and how much of it once more: minutes come late. */
const LOOK_BACK = 60_000;
const AGAIN = 180_000;

/** How long after a failure the events of the last day are asked for again. */
const PAST_AGAIN = 30_000;

/** Longest text without an empty line: a feed that never ends a message is given up. */
const MESSAGE_MAX = 16 << 20;

export class Feed {
  constructor(model) {
    this.model = model;
    this.lastId = '';
    this.attempt = 0;
    this.ended = null;
  }

  /** Connects, and connects again for as long as the page lives. */
  async run() {
    for (;;) {
      try {
        await this.session();
      } catch (error) {
        console.info(`live feed: ${error.message}`);
      }
      this.model.setFeed('lost');
      const wait = WAITS[Math.min(this.attempt, WAITS.length - 1)];
      this.attempt += 1;
      await new Promise((done) => {
        setTimeout(done, wait);
      });
    }
  }

  async session() {
    this.abort = new AbortController();
    let watch = setTimeout(() => this.abort.abort(), SILENCE);
    const looks = setInterval(() => this.lookBack(), LOOK_BACK);
    const alive = () => {
      clearTimeout(watch);
      watch = setTimeout(() => this.abort.abort(), SILENCE);
    };
    try {
      const headers = { accept: 'text/event-stream' };
      if (this.lastId) headers['last-event-id'] = this.lastId;
      else this.past = false;
      const response = await ask('/api/v1/live', { headers, signal: this.abort.signal });
      // The feed first, then the state: nothing falls between them.
      await this.load();
      this.attempt = 0;
      this.model.setFeed('open');
      await read(response.body, alive, (message) => this.take(message));
      throw new Error('the connection ended');
    } finally {
      clearTimeout(watch);
      clearInterval(looks);
      this.abort.abort();
    }
  }

  /** Reads everything as it stands. */
  async load() {
    const begun = performance.now();
    const [streams, open, incidents] = await Promise.all([
      all('/api/v1/streams', {}, 'streams'),
      all('/api/v1/events', { state: 'open' }, 'events'),
      all('/api/v1/incidents', { state: 'open' }, 'incidents'),
    ]);
    this.model.setStreams(streams.map(shapes.stream));
    this.model.setOpen(open.map(shapes.event), begun);
    this.model.setIncidents(incidents.map(shapes.incident), begun);
    // The past can wait until the present is painted.
    idle().then(() => {
      this.loadPast();
      this.lookBack();
    });
  }

  /**
   * Reads the ended events of the last day for the strips, once: the newest by when they were raised. Where that is not
   * all, older ones that ended since are looked for by themselves, so that nothing is missing from then on.
   */
  async loadPast() {
    if (this.past) return;
    this.past = true;
    clearTimeout(this.pastTimer);
    const begun = now();
    let oldest = begun;
    const take = (events) => {
      for (const event of events.map(shapes.event)) {
        this.model.setPast(event);
        oldest = Math.min(oldest, event.raised ?? event.started);
      }
    };
    // What is missing is said to be until it is there.
    this.model.setPastFrom(begun);
    try {
      const since = new Date(begun - DAY).toISOString();
      let from = begun - DAY;
      if (!(await pages('/api/v1/events', { state: 'ended', since }, 'events', take))) {
        from = oldest;
        const at = new Date(oldest).toISOString();
        const older = { state: 'ended', since: at, until: at };
        if (!(await pages('/api/v1/events', older, 'events', take, OLDER_PAGES_MAX))) from = begun;
      }
      this.model.setPastFrom(from);
      this.model.tell('past');
    } catch {
      this.past = false;
      this.pastTimer = setTimeout(() => this.loadPast(), PAST_AGAIN);
    }
  }

  /** Reads when streams were seen: all of the last day first, then what is new. */
  async lookBack() {
    const { until } = this.model.seen;
    const since = until === null ? '24h' : new Date(until - AGAIN).toISOString();
    try {
      this.model.setSeen(shapes.seen(await get('/api/v1/seen', { since })));
    } catch {
      // Until it can be read nothing is called calm but what this page saw.
    }
  }

  take({ kind, id, data }) {
    if (id) this.lastId = id;
    if (!data) return;
    const json = JSON.parse(data);
    if (kind === 'hello') setRole(json.role);
    else if (kind === 'event') this.model.setEvent(shapes.event(json));
    else if (kind === 'incident') this.model.setIncident(shapes.incident(json));
    else if (kind === 'stream') this.model.setStream(shapes.stream(json));
    else if (kind === 'stream_removed') this.model.removeStream(String(json.name));
    else if (kind === 'meters') this.model.setMeters(shapes.readings(json));
    else if (kind === 'resync') {
      this.past = false;
      this.load().catch(() => this.abort.abort());
    }
  }
}

/** Reads all rows of a list. */
async function all(path, parameters, key) {
  const rows = [];
  await pages(path, parameters, key, (found) => rows.push(...found));
  return rows;
}

/** Hands on a list page by page as it comes; tells whether that was all of it. */
async function pages(path, parameters, key, each, most = PAGES_MAX) {
  let cursor;
  for (let page = 0; page < most; page += 1) {
    const answer = await get(path, { ...parameters, limit: PAGE, cursor });
    const found = answer[key] ?? [];
    // Of many pages, none may hold up what the page does meanwhile.
    if (page > 0) await idle();
    each(found);
    cursor = answer.next_cursor;
    if (!cursor || found.length === 0) return true;
  }
  return false;
}

/** Splits a stream of server-sent events into messages. */
export async function read(body, alive, take) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    alive();
    rest += value;
    const blocks = rest.split(/\r?\n\r?\n/);
    rest = blocks.pop();
    if (rest.length > MESSAGE_MAX) throw new Error('a message has no end');
    for (const block of blocks) take(parse(block));
  }
}

/** One message: its kind, its id, its data. */
export function parse(block) {
  const message = { kind: 'message', id: '', data: '' };
  const data = [];
  for (const line of block.split(/\r?\n/)) {
    const colon = line.indexOf(':');
    if (colon === 0) continue;
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (name === 'event') message.kind = value;
    else if (name === 'id') message.id = value;
    else if (name === 'data') data.push(value);
  }
  message.data = data.join('\n');
  return message;
}
