// Longer answers of the stand-in for the service.

/** A time in milliseconds as the service writes it. */
export const iso = (time) => new Date(time).toISOString();

/**
 * Readings of a stream that is watched since a time, in milliseconds: 0 for long, with breaks; known so many seconds
 * late.
 */
export function history(url, { watchedSince, historyLate }) {
  const asked = url.searchParams.get('since');
  const since = asked.endsWith('h')
    ? Date.now() / 1000 - Number.parseInt(asked, 10) * 3600
    : Date.parse(asked) / 1000;
  const step = Number.parseInt(url.searchParams.get('resolution') ?? '1', 10);
  const points = [];
  for (let second = Math.ceil(since); second < Date.now() / 1000 - historyLate; second += step) {
    if (second * 1000 < watchedSince) continue;
    const level = -22 - 6 * Math.sin(second / 30);
    points.push({
      at: iso(second * 1000),
      lasts: step,
      known: step,
      up: watchedSince === 0 && second % 20_000 < 1500 ? 0 : 1,
      bitrate: 5.2e6 + 4e5 * Math.sin(second / 50),
      frame_rate: 25,
      pictures: [
        {
          track: 'video:0',
          frames: 25,
          luma_mean: 90 + 30 * Math.sin(second / 40),
          difference: 3 + Math.sin(second / 7),
        },
      ],
      sounds: [
        {
          track: 'audio:0',
          momentary_lufs: level,
          short_term_lufs: level - 1,
          channels: [
            { rms_dbfs: level, peak_dbfs: level + 9 },
            { rms_dbfs: level - 2, peak_dbfs: level + 8 },
          ],
        },
      ],
    });
  }
  return { points };
}

/**
 * When streams were seen: each since a time, in milliseconds, 0 for long, then with breaks. A stream is known 20 s
 * late, as by a journal.
 */
export function seen(url, names, watchedSince) {
  const asked = url.searchParams.get('since') ?? '24h';
  const now = Math.floor(Date.now() / 1000);
  const begin = asked.endsWith('h') ? now - Number.parseInt(asked, 10) * 3600 : Date.parse(asked) / 1000;
  const since = Math.floor(begin / 60) * 60;
  const spans = [];
  for (let minute = Math.max(since, Math.floor(watchedSince / 60_000) * 60); minute < now - 20; minute += 60) {
    if (watchedSince === 0 && minute % 20_000 < 1500) continue;
    const last = spans.at(-1);
    const to = Math.min(minute + 60, now - 20) - since;
    if (last?.[1] === minute - since) last[1] = to;
    else spans.push([minute - since, to]);
  }
  const streams = spans.length > 0 ? Object.fromEntries(names.map((name) => [name, spans])) : {};
  return { since: iso(since * 1000), until: iso(now * 1000), streams };
}

/** The node's figures. */
export function status(clients) {
  const buckets = [
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
  ].map((edge, index) => [edge, Math.min(1e6, 1e6 / (1 + Math.exp(5 - index)))]);
  return {
    node: 'mock',
    version: '0.1.0',
    ffmpeg: '5.1',
    started_at: iso(Date.now() - 7.3e6),
    process: { cpu_seconds: process.cpuUsage().user / 1e6, resident_bytes: 4.2e8, threads: 1012 },
    live: true,
    ready: true,
    store: { degraded: false, unstored: 0 },
    live_clients: clients,
    config_last_reload_successful: true,
    stages: ['decode', 'queue', 'inspect', 'total'].map((stage) => ({ stage, buckets, sum: 12, count: 1e6 })),
    detector_cpu_seconds: { black: 12, freeze: 9, silence: 4 },
  };
}

/** Receivers of notifications, one of them in trouble. */
export const RECEIVERS = [
  { name: 'desk', kind: 'webhook', target: 'https://alerts.example/hook', state: 'ok', pending: 0, oldest_s: 0, parked: 0 },
  {
    name: 'night',
    kind: 'email',
    target: 'night@example.com',
    state: 'failing',
    pending: 12,
    oldest_s: 95,
    parked: 1,
    last_error: 'cannot connect to mail.example:587: connection refused',
  },
];

/** The answer to the last of these tries of a receiver, and its status: one that is well takes it. */
export function tried(name, tries) {
  const receiver = RECEIVERS.find((one) => one.name === name);
  if (!receiver) return [{ title: 'Not Found', status: 404, detail: 'there is no receiver of this name' }, 404];
  if (tries.filter((one) => one === name).length > 6)
    return [{ title: 'Too Many Requests', status: 429, detail: 'a receiver may be tried 6 times a minute' }, 429];
  if (receiver.state === 'ok') return [{ delivered: true }, 200];
  return [{ delivered: false, error: receiver.last_error }, 200];
}
