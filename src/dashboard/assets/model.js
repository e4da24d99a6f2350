// What the page knows: streams, their open events, and the newest readings. Whoever draws asks here
// and is told, at most once a frame, what has changed. Pure of the page: no element is touched.

import { now } from './format.js';
import { Seen } from './seen.js';
import { rank } from './severity.js';

/** How long a stream stays in the penalty box after it is well again, in milliseconds. */
export const HELD = 30_000;

/** Most ended events that are kept for history strips, over all streams. */
const ENDED_MAX = 20_000;

/** How long ended events are kept for history strips. */
const KEPT = 24 * 3600_000;

/** The severity from which on a stream is in the penalty box. */
const WRONG = rank('warning');

/** What a stream's state means to an operator. */
const MEANINGS = {
  live: 'live',
  opening: 'opening',
  waiting: 'no input',
  cutting: 'no input',
  quarantined: 'blind',
  blocked: 'blind',
  held: 'blind',
  idle: 'off',
  stopping: 'off',
  stopped: 'off',
  off_air: 'off air',
};

export class Model {
  constructor() {
    this.streams = new Map();
    this.meters = new Map();
    this.events = new Map();
    this.byStream = new Map();
    /** Open incidents by id. */
    this.incidents = new Map();
    this.listeners = {
      list: new Set(),
      stream: new Set(),
      meters: new Set(),
      event: new Set(),
      feed: new Set(),
      past: new Set(),
      incidents: new Set(),
    };
    /** `connecting`, `open` or `lost`, and since when. */
    this.feed = { state: 'connecting', since: now() };
    /** Streams that became well, and when: they are held in the penalty box. */
    this.cleared = new Map();
    this.endedCount = 0;
    this.loaded = false;
    this.seen = new Seen();
    /** From when on every event that ended is known: none of those before this page. */
    this.pastFrom = now();
  }

  /** Calls `listener` on changes of a topic: `list`, `stream` (name), `meters` (readings),
   *  `event` (event), `incidents` (one, or nothing for all), `feed`, and `past` when more is known of the last day. */
  on(topic, listener) {
    this.listeners[topic].add(listener);
    return () => this.listeners[topic].delete(listener);
  }

  tell(topic, what) {
    for (const listener of this.listeners[topic]) listener(what);
  }

  /** Takes the whole list of streams: those that are not in it are gone. */
  setStreams(streams) {
    const names = new Set(streams.map((stream) => stream.name));
    for (const name of this.streams.keys()) if (!names.has(name)) this.forget(name);
    for (const stream of streams) {
      this.streams.set(stream.name, stream);
      this.noteOn(stream.name);
    }
    this.loaded = true;
    this.tell('list');
  }

  /** Takes one stream as it is now; what is unknown of it stays as it was. */
  setStream(stream) {
    const old = this.streams.get(stream.name);
    this.streams.set(stream.name, { ...old, ...stream });
    this.noteOn(stream.name);
    if (old) this.tell('stream', stream.name);
    else this.tell('list');
  }

  /** A stream was removed. */
  removeStream(name) {
    if (!this.streams.has(name)) return;
    this.forget(name);
    this.tell('list');
  }

  forget(name) {
    this.streams.delete(name);
    this.meters.delete(name);
    this.cleared.delete(name);
    this.seen.forget(name);
    for (const id of this.byStream.get(name) ?? []) this.events.delete(id);
    this.byStream.delete(name);
  }

  /** Takes a change of an event; an older one than what is known changes nothing. */
  setEvent(event) {
    const old = this.events.get(event.id);
    if (old && old.sequence > event.sequence) return;
    const before = this.worst(event.stream);
    this.put(event, old);
    const after = this.worst(event.stream);
    if (rank(before?.severity) >= WRONG && rank(after?.severity) < WRONG) this.cleared.set(event.stream, now());
    this.tell('event', event);
    this.tell('stream', event.stream);
  }

  /** Takes an event of long ago, for strips only: nobody is told of each. */
  setPast(event) {
    if (!this.events.has(event.id)) this.put(event);
  }

  /** Says from when on every ended event was handed over by `setPast` or came by itself. */
  setPastFrom(time) {
    this.pastFrom = time;
  }

  /** Takes when streams were seen. */
  setSeen(answer) {
    this.seen.take(answer);
    this.tell('past');
  }

  /** When a stream was seen, and what happened then is known from `from` on: spans of time. */
  seenOf(name, from = this.pastFrom) {
    return this.seen.of(name, from, now());
  }

  noteOn(name) {
    this.seen.note(name, this.meaning(name) === 'live', now());
  }

  put(event, old) {
    event.seen = performance.now();
    this.events.set(event.id, event);
    if (!this.byStream.has(event.stream)) this.byStream.set(event.stream, new Set());
    this.byStream.get(event.stream).add(event.id);
    if (!event.open && (!old || old.open)) this.endedCount += 1;
    if (this.endedCount > ENDED_MAX) this.prune();
  }

  /** The events that were open on the server at `begun`: others that were thought open before are over. */
  setOpen(events, begun) {
    const ids = new Set(events.map((event) => event.id));
    for (const event of [...this.events.values()]) {
      if (event.open && event.seen < begun && !ids.has(event.id))
        this.setEvent({ ...event, open: false, state: 'ended', ended: event.ended ?? now() });
    }
    for (const event of events) this.setEvent(event);
  }

  /** Takes a change of an incident; ended ones are forgotten. */
  setIncident(incident) {
    const old = this.incidents.get(incident.id);
    if (old && old.changed > incident.changed) return;
    incident.seen = performance.now();
    if (incident.open) this.incidents.set(incident.id, incident);
    else this.incidents.delete(incident.id);
    this.tell('incidents', incident);
  }

  /** The incidents that were open on the server at `begun`: others that were thought open before are over. */
  setIncidents(incidents, begun) {
    const ids = new Set(incidents.map((incident) => incident.id));
    for (const [id, incident] of this.incidents)
      if (incident.seen < begun && !ids.has(id)) this.incidents.delete(id);
    for (const incident of incidents) this.setIncident(incident);
    this.tell('incidents', null);
  }

  /** Open incidents, worst first, then by the number of their streams. */
  openIncidents() {
    return [...this.incidents.values()].sort(
      (one, other) =>
        rank(other.severity) - rank(one.severity) ||
        other.streams.length - one.streams.length ||
        (one.id < other.id ? -1 : 1),
    );
  }

  /** Forgets ended events that no strip shows any more; beyond the limit the oldest, of which it takes note. */
  prune() {
    const oldest = now() - KEPT;
    const ended = [...this.events.values()]
      .filter((event) => !event.open)
      .sort((one, other) => one.ended - other.ended);
    const surplus = Math.max(0, ended.length - ENDED_MAX / 2);
    if (surplus > 0) this.pastFrom = Math.max(this.pastFrom, ended[surplus - 1].ended);
    ended.forEach((event, index) => {
      if (index >= surplus && event.ended >= oldest) return;
      this.events.delete(event.id);
      this.byStream.get(event.stream)?.delete(event.id);
      this.endedCount -= 1;
    });
  }

  /** Takes readings: a list of `[name, meters]`. */
  setMeters(readings) {
    for (const [name, meters] of readings) this.meters.set(name, meters);
    this.tell('meters', readings);
  }

  /** Says how the live feed is. */
  setFeed(state) {
    if (this.feed.state === state) return;
    this.feed = { state, since: now() };
    if (state === 'lost') this.seen.lose();
    this.tell('feed', this.feed);
  }

  /** Every event known of a stream, open and ended. */
  eventsOf(name) {
    return [...(this.byStream.get(name) ?? [])].map((id) => this.events.get(id));
  }

  /** Open events of a stream, worst first. */
  openOf(name) {
    const open = this.eventsOf(name).filter((event) => event.open);
    return open.sort((one, other) => this.weight(other) - this.weight(one) || one.started - other.started);
  }

  /** Acknowledged ones count as much as others; suppressed ones count for nothing but their being there. */
  weight(event) {
    return event.state === 'suppressed' ? 0 : rank(event.severity);
  }

  /** The worst open event of a stream that is not suppressed. */
  worst(name) {
    let worst = null;
    for (const id of this.byStream.get(name) ?? []) {
      const event = this.events.get(id);
      if (!event.open || event.state === 'suppressed') continue;
      if (
        !worst ||
        rank(event.severity) > rank(worst.severity) ||
        (event.severity === worst.severity && event.started < worst.started)
      )
        worst = event;
    }
    return worst;
  }

  /** `live`, `opening`, `no input`, `blind`, `off` or `off air`. */
  meaning(name) {
    return MEANINGS[this.streams.get(name)?.state] ?? 'blind';
  }

  /** The word by which streams are counted and filtered: a severity, `blind`, `off` or `ok`. */
  condition(name) {
    const worst = this.worst(name);
    if (rank(worst?.severity) >= WRONG) return worst.severity;
    const meaning = this.meaning(name);
    if (meaning === 'blind' || meaning === 'off') return meaning;
    if (meaning === 'off air') return 'off';
    if (meaning === 'no input') return 'no input';
    return worst ? 'info' : 'ok';
  }

  /** How many streams are in each condition. */
  counts() {
    const counts = new Map();
    for (const name of this.streams.keys()) {
      const condition = this.condition(name);
      counts.set(condition, (counts.get(condition) ?? 0) + 1);
    }
    return counts;
  }

  /** Streams in which something is wrong, worst and then longest first; those well again stay for a while. */
  penalties() {
    const found = [];
    for (const name of this.streams.keys()) {
      const worst = this.worst(name);
      const clearedAt = this.cleared.get(name);
      if (rank(worst?.severity) >= WRONG) found.push({ name, event: worst, clearedAt: null });
      else if (clearedAt !== undefined && now() - clearedAt < HELD)
        found.push({ name, event: this.last(name), clearedAt });
      else if (clearedAt !== undefined) this.cleared.delete(name);
    }
    const order = (entry) => (entry.clearedAt === null ? rank(entry.event.severity) : 0);
    return found.sort(
      (one, other) =>
        order(other) - order(one) ||
        (one.event?.started ?? 0) - (other.event?.started ?? 0) ||
        (one.name < other.name ? -1 : 1),
    );
  }

  /** The event of a stream that ended last. */
  last(name) {
    let last = null;
    for (const event of this.eventsOf(name)) {
      if (!event.open && rank(event.severity) >= WRONG && (!last || event.ended > last.ended)) last = event;
    }
    return last;
  }

  /** All labels in use: name → set of values. */
  labels() {
    const labels = new Map();
    for (const stream of this.streams.values()) {
      for (const [name, value] of Object.entries(stream.labels)) {
        if (!labels.has(name)) labels.set(name, new Set());
        labels.get(name).add(value);
      }
    }
    return labels;
  }
}
