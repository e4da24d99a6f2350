// From the JSON of the API to what the page works with: the only place that knows the API's names.
// Times become milliseconds; what is absent becomes null or empty, never undefined.

const time = (text) => {
  const value = typeof text === 'number' ? text * (text < 1e12 ? 1000 : 1) : Date.parse(text ?? '');
  return Number.isFinite(value) ? value : null;
};
const number = (value) => (typeof value === 'number' && Number.isFinite(value) ? value : null);
const list = (value) => (Array.isArray(value) ? value : []);
const words = (value) => (value && typeof value === 'object' ? Object.fromEntries(
  Object.entries(value).map(([key, word]) => [key, String(word)])) : {});

/** `{ name: count }`, or a list of pairs, as a list of pairs. */
const pairs = (value) => (Array.isArray(value) ? value : Object.entries(value ?? {}));
const sum = (value) => (typeof value === 'number' ? value : pairs(value).reduce((all, [, count]) => all + count, 0));

/** A stream of `GET /api/v1/streams`, or of the live feed. */
export function stream(json) {
  const shape = { name: String(json.name ?? json.stream) };
  const put = (key, value) => {
    if (value !== undefined) shape[key] = value;
  };
  put('title', json.title === undefined ? undefined : String(json.title ?? ''));
  put('state', json.state);
  put('up', json.up);
  put('mode', json.mode);
  put('profile', json.profile);
  put('tier', json.tier);
  put('priority', json.priority);
  put('origin', json.origin);
  put('url', json.url);
  put('runbook', json.runbook_url);
  put('session', json.session);
  put('error', json.last_error);
  put('restarts', json.restarts === undefined ? undefined : pairs(json.restarts));
  put('dropped', json.lane_dropped === undefined ? undefined : sum(json.lane_dropped));
  put('lost', json.receive_dropped);
  put('bitrate', json.bitrate === undefined ? undefined : number(json.bitrate));
  put('frameRate', json.frame_rate === undefined ? undefined : number(json.frame_rate));
  put('coverage', json.coverage === undefined ? undefined : number(json.coverage));
  put('tracks', json.tracks === undefined ? undefined : list(json.tracks));
  shape.labels = words(json.labels);
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

/** Readings of one stream in one second. Levels are one number a channel, in dBFS. */
export function meters(json) {
  const pictures = list(json.pictures).map((one) => ({
    track: String(one.track), luma: number(one.luma_mean), difference: number(one.difference), frames: number(one.frames),
    momentary: null, shortTerm: null, levels: [], peaks: [],
  }));
  const sounds = list(json.sounds).map((one) => ({
    track: String(one.track), luma: null, difference: null, frames: null,
    momentary: number(one.momentary_lufs), shortTerm: number(one.short_term_lufs),
    levels: list(one.channels).map((channel) => number(channel.rms_dbfs)), peaks: list(one.channels).map((channel) => number(channel.peak_dbfs)),
  }));
  return {
    at: time(json.second ?? json.at), bitrate: number(json.bitrate), frameRate: number(json.frame_rate) ?? pictures[0]?.frames ?? null,
    latency: number(json.latency_p99_s), tracks: [...pictures, ...sounds],
  };
}

/** The readings of one message of the live feed: `[name, meters]` for each stream. */
export function readings(json) {
  const at = time(json.at ?? json.time);
  const streams = Array.isArray(json) ? json : json.streams ?? (json.stream ? [json] : []);
  const pairs = Array.isArray(streams) ? streams.map((one) => [String(one.name ?? one.stream), one]) : Object.entries(streams);
  return pairs.map(([name, one]) => {
    const shape = meters(one);
    shape.at ??= at;
    return [name, shape];
  });
}

/** The answer of `…/history`: readings by time, oldest first. */
export function history(json) {
  return list(json.points ?? json.readings ?? json.history).map(meters).filter((point) => point.at !== null);
}

/** Evidence of an event, whatever of it there is. */
export function evidence(json) {
  const found = json?.evidence;
  return found && typeof found === 'object' ? found : null;
}

/** Silences that are in force. */
export function silences(json) {
  return list(json.silences ?? json).map((one) => ({
    id: String(one.id), matchers: words(one.matchers), until: time(one.until), reason: String(one.reason ?? ''), author: String(one.author ?? ''),
  }));
}

/** The node, of `GET /api/v1/status`. */
export function status(json) {
  const process = json.process ?? {};
  return {
    node: json.node ?? null, version: json.version ?? json.build?.version ?? null, ffmpeg: json.ffmpeg ?? json.build?.ffmpeg ?? null,
    started: time(json.started_at ?? process.started_at), cores: number(json.cores ?? process.cores), cpu: number(process.cpu_seconds ?? process.cpu_s),
    memory: number(process.resident_bytes ?? process.memory_bytes), files: number(process.open_files ?? process.open_fds), threads: number(process.threads),
    health: json.health === undefined ? null : typeof json.health === 'string' ? json.health : json.health.live ? 'live' : 'not live',
    abandoned: number(json.abandoned_threads ?? json.health?.abandoned), store: json.store === undefined ? null : String(json.store.state ?? json.store),
    reload: json.config_last_reload_successful === undefined || json.config_last_reload_successful === null ? null : json.config_last_reload_successful ? 'taken over' : 'refused: the old configuration stays in force',
    stages: list(json.stages ?? json.latency).map(stage), detectorCpu: pairs(json.detector_cpu_seconds ?? json.detector_cpu),
  };
}

function stage(json) {
  const buckets = list(json.buckets).map((bucket) => (Array.isArray(bucket) ? bucket : [bucket.le ?? bucket.up_to_s, bucket.count]));
  return {
    stage: String(json.stage), buckets, count: json.count ?? 0,
    p50: quantile(buckets, json.count, 0.5), p95: quantile(buckets, json.count, 0.95), p99: quantile(buckets, json.count, 0.99),
  };
}

/** The upper edge of the bucket in which that share of all values is reached. */
export function quantile(buckets, count, share) {
  if (!count) return NaN;
  return (buckets.find(([, upTo]) => upTo >= count * share) ?? [Infinity])[0];
}
