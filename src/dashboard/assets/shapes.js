// From the JSON of the API to what the page works with: the only place that knows the API's names.
// Times become milliseconds; what is absent becomes null or empty, never undefined.

const time = (text) => {
  const value = typeof text === 'number' ? text * (text < 1e12 ? 1000 : 1) : Date.parse(text ?? '');
  return Number.isFinite(value) ? value : null;
};
const number = (value) => (typeof value === 'number' && Number.isFinite(value) ? value : null);
const list = (value) => (Array.isArray(value) ? value : []);
const words = (value) =>
  value && typeof value === 'object'
    ? Object.fromEntries(Object.entries(value).map(([key, word]) => [key, String(word)]))
    : {};

/** `{ name: count }`, or a list of pairs, as a list of pairs. */
const pairs = (value) => (Array.isArray(value) ? value : Object.entries(value ?? {}));

/** A stream of a list, of the live feed, or alone with everything that is known. Absent stays absent. */
export function stream(json) {
  const shape = {
    name: String(json.name),
    title: String(json.title ?? ''),
    labels: words(json.labels),
    error: json.last_error ?? null,
    runbook: json.runbook_url ?? null,
  };
  for (const key of ['state', 'up', 'mode', 'profile', 'tier', 'priority', 'origin', 'url', 'session', 'container']) {
    if (json[key] !== undefined) shape[key] = json[key];
  }
  if (json.tracks !== undefined)
    shape.tracks = list(json.tracks).map((track) => ({
      ...track,
      ...track.format,
      ...track.format?.video,
      ...track.format?.audio,
      track: String(track.track),
    }));
  if (json.restarts !== undefined) shape.restarts = pairs(json.restarts);
  if (json.lane_dropped !== undefined) shape.dropped = json.lane_dropped;
  if (json.coverage !== undefined) shape.coverage = number(json.coverage);
  if (json.receive_dropped !== undefined) shape.lost = json.receive_dropped;
  return shape;
}

/** An event, the same everywhere. */
export function event(json) {
  return {
    ...json,
    id: String(json.id),
    stream: String(json.stream),
    track: String(json.track ?? ''),
    detector: String(json.detector),
    message: String(json.message ?? ''),
    labels: words(json.labels),
    sequence: json.sequence ?? 0,
    open: json.state !== 'ended',
    started: time(json.started_at),
    raised: time(json.raised_at),
    changed: time(json.changed_at),
    ended: time(json.ended_at),
    ackedAt: time(json.acked_at),
    snoozed: time(json.snoozed_until),
  };
}

/** An incident: what failed together. */
export function incident(json) {
  return {
    id: String(json.id),
    changeId: String(json.change_id ?? ''),
    kind: String(json.kind),
    severity: String(json.severity),
    open: json.state !== 'ended',
    common: words(json.common),
    started: time(json.started_at),
    changed: time(json.changed_at),
    ended: time(json.ended_at),
    message: String(json.message ?? ''),
    causes: list(json.causes).map(String),
    evidence: list(json.evidence).map(String),
    streams: list(json.streams).map(String),
    eventsTotal: json.events_total ?? 0,
    eventsOpen: json.events_open ?? 0,
    mergedInto: json.merged_into ? String(json.merged_into) : null,
    node: String(json.node ?? ''),
    stored: json.stored !== false,
  };
}

/** Readings of one stream in one second: a track each, levels one number a channel, in dBFS. */
export function meters(json) {
  const tracks = new Map();
  const track = (name) => {
    if (!tracks.has(name))
      tracks.set(name, {
        track: name,
        luma: null,
        difference: null,
        momentary: null,
        shortTerm: null,
        levels: [],
        peaks: [],
      });
    return tracks.get(name);
  };
  let newest = time(json.second);
  for (const [name, one] of Object.entries(json.tracks ?? {})) {
    Object.assign(track(name), {
      momentary: number(one.loudness_lufs?.momentary),
      shortTerm: number(one.loudness_lufs?.short_term),
    });
    if (json.second === undefined) newest = Math.max(newest ?? 0, time(one.last_frame_at) ?? 0) || null;
  }
  let frames = null;
  for (const one of list(json.pictures)) {
    frames ??= number(one.frames);
    Object.assign(track(String(one.track)), { luma: number(one.luma_mean), difference: number(one.difference) });
  }
  for (const one of list(json.sounds)) {
    Object.assign(track(String(one.track)), {
      momentary: number(one.momentary_lufs),
      shortTerm: number(one.short_term_lufs),
      levels: list(one.channels).map((channel) => number(channel.rms_dbfs)),
      peaks: list(one.channels).map((channel) => number(channel.peak_dbfs)),
    });
  }
  return {
    at: newest,
    bitrate: number(json.bitrate_bps ?? json.bitrate),
    frameRate: number(json.frame_rate) ?? frames,
    coverage: number(json.coverage),
    latency: json.latency_s ? [json.latency_s.p50, json.latency_s.p95, json.latency_s.p99].map(number) : null,
    tracks: [...tracks.values()],
  };
}

/** The readings of one message of the live feed: `[name, meters]` for each stream. */
export function readings(json) {
  return Object.entries(json.streams ?? {}).map(([name, one]) => [name, meters({ ...one, ...one.reading })]);
}

/** The answer of `…/history`: readings by time, oldest first. */
export function history(json) {
  return list(json.points)
    .map((one) => meters({ second: one.at, ...one }))
    .filter((point) => point.at !== null);
}

/** When streams were seen, of `GET /api/v1/seen`: spans of time by name. */
export function seen(json) {
  const since = time(json.since);
  const spans = (one) => list(one).map(([from, to]) => ({ from: since + from * 1000, to: since + to * 1000 }));
  return {
    since,
    until: time(json.until),
    streams: new Map(Object.entries(json.streams ?? {}).map(([name, one]) => [name, spans(one)])),
  };
}

/** Silences that are in force. */
export function silences(json) {
  return list(json.silences ?? json).map((one) => ({
    id: String(one.id),
    matchers: { ...one.matchers },
    until: time(one.until),
    reason: String(one.reason ?? ''),
    author: String(one.author ?? ''),
  }));
}

/** Who is notified, of `GET /api/v1/receivers`. */
export function receivers(json) {
  return list(json.receivers).map((one) => ({
    name: String(one.name),
    kind: String(one.kind),
    target: String(one.target),
    state: String(one.state),
    pending: one.pending ?? 0,
    oldest: one.oldest_s ?? 0,
    parked: one.parked ?? 0,
    error: one.state === 'ok' ? '' : String(one.last_error ?? ''),
  }));
}

/** The node, of `GET /api/v1/status`. */
export function status(json) {
  const { process = {}, store = {} } = json;
  const reload = json.config_last_reload_successful;
  return {
    node: json.node,
    version: json.version,
    ffmpeg: json.ffmpeg,
    isDemo: json.demo === true,
    share: share(json.clone),
    started: time(json.started_at),
    cores: number(process.cores),
    cpu: number(process.cpu_seconds),
    memory: number(process.resident_bytes),
    threads: number(process.threads),
    files: number(process.open_fds),
    health: json.live === false ? 'not live' : json.ready === false ? 'not ready' : 'live and ready',
    abandoned: number(json.abandoned_threads),
    clients: number(json.live_clients),
    store: store.degraded ? `degraded: ${store.unstored} changes are not stored` : 'every change is stored',
    reload:
      reload === undefined || reload === null
        ? null
        : reload
          ? 'taken over'
          : 'refused: the old configuration stays in force',
    stages: list(json.stages).map(stage),
    detectorCpu: pairs(json.detector_cpu_seconds),
    streams: list(json.worst_streams).map(stream),
  };
}

/** What part a clone takes of what several share; nothing of a node that takes all. */
function share(json) {
  if (!json) return null;
  const streams = json.shard ? `shard ${json.shard} (${json.streams_elsewhere ?? 0} streams elsewhere)` : 'all streams';
  return `${streams}, ${json.detectors ? `detectors ${list(json.detectors).join(', ')}` : 'all detectors'}`;
}

function stage(json) {
  const buckets = list(json.buckets).map((bucket) =>
    Array.isArray(bucket) ? bucket : [bucket.le ?? bucket.up_to_s, bucket.count],
  );
  return {
    stage: String(json.stage),
    buckets,
    count: json.count ?? 0,
    p50: quantile(buckets, json.count, 0.5),
    p95: quantile(buckets, json.count, 0.95),
    p99: quantile(buckets, json.count, 0.99),
  };
}

/** The upper edge of the bucket in which that share of all values is reached. */
export function quantile(buckets, count, share) {
  if (!count) return NaN;
  return (buckets.find(([, upTo]) => upTo >= count * share) ?? [Infinity])[0];
}
