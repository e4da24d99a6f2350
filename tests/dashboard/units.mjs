// The pure parts of the page, without a browser: `node --test tests/dashboard/units.mjs`.

import assert from 'node:assert/strict';
import { test } from 'node:test';

// What modules look at when they are loaded; no test here draws anything.
globalThis.matchMedia = () => ({ matches: false, addEventListener() {} });
globalThis.document = { addEventListener() {} };

const assets = new URL('../../src/dashboard/assets/', import.meta.url);
const load = (name) => import(new URL(name, assets));
const { Model, HELD } = await load('model.js');
const { buckets, describe, seenFor, seenIn } = await load('strip.js');
const { lasted, brief, metric, percent, latency } = await load('format.js');
const { parse } = await load('feed.js');
const { matches } = await load('search.js');
const { labels } = await load('stream_form.js');
const { Seen } = await load('seen.js');
const { Course } = await load('course.js');
const { niceStep } = await load('plot.js');
const shapes = await load('shapes.js');

const event = (id, severity, more = {}) => ({
  id,
  stream: 'lobby',
  detector: 'black',
  severity,
  state: 'raised',
  open: true,
  sequence: 1,
  started: Date.now() - 5000,
  raised: Date.now(),
  labels: {},
  ...more,
});
const model = (...events) => {
  const made = new Model();
  made.setStreams([
    { name: 'lobby', state: 'live', labels: {} },
    { name: 'hall', state: 'quarantined', labels: {} },
  ]);
  for (const one of events) made.setEvent(one);
  return made;
};

test('the worst open event is the one of the highest severity, and of those the oldest', () => {
  const made = model(event('1', 'major', { started: 2 }), event('2', 'major', { started: 1 }), event('3', 'info'));
  assert.equal(made.worst('lobby').id, '2');
});

test('an older change that comes late changes nothing', () => {
  const made = model(event('1', 'major', { sequence: 7 }), event('1', 'info', { sequence: 6 }));
  assert.equal(made.worst('lobby').severity, 'major');
});

test('a suppressed event neither colours a tile nor fills the penalty box', () => {
  const made = model(event('1', 'critical', { state: 'suppressed' }));
  assert.equal(made.worst('lobby'), null);
  assert.deepEqual(made.penalties(), []);
});

test('info alone is nothing wrong', () => {
  assert.deepEqual(model(event('1', 'info')).penalties(), []);
});

test('a stream that is well again is held in the penalty box, and no longer than said', (context) => {
  context.mock.timers.enable({ apis: ['Date'], now: 1_000_000 });
  const made = model(event('1', 'major', { started: 900_000 }));
  made.setEvent({ ...event('1', 'major'), open: false, state: 'ended', ended: 1_000_000, sequence: 2 });
  assert.equal(made.penalties()[0].clearedAt, 1_000_000);
  context.mock.timers.setTime(1_000_000 + HELD);
  assert.deepEqual(made.penalties(), []);
});

test('an event that ended while nobody listened is over after the next look', () => {
  const made = model(event('1', 'major'));
  made.setOpen([], performance.now() + 1);
  assert.equal(made.worst('lobby'), null);
});

test('an event raised while the state was being read stays open', () => {
  const begun = performance.now() - 1;
  const made = model(event('1', 'major'));
  made.setOpen([], begun);
  assert.equal(made.worst('lobby').id, '1');
});

test('a stream that cannot be seen is blind, not well and not down', () => {
  assert.equal(model().condition('hall'), 'blind');
});

test('a stream that is removed takes its events with it', () => {
  const made = model(event('1', 'major'));
  made.removeStream('lobby');
  assert.equal(made.events.size, 0);
});

test('a strip shows the worst of each stretch, and what is open up to its end', () => {
  const events = [
    { started: 10, ended: 29, severity: 'info', state: 'ended' },
    { started: 25, ended: 26, severity: 'critical', state: 'ended' },
    { started: 80, open: true, severity: 'major', state: 'raised' },
    { started: 40, ended: 60, severity: 'major', state: 'suppressed' },
    { started: -50, ended: -1, severity: 'major', state: 'ended' },
  ];
  assert.deepEqual([...buckets(events, 100, 10, 100)], [0, 1, 5, 0, 0, 0, 0, 0, 4, 4]);
});

test('what was not seen is told from what was', () => {
  assert.deepEqual(
    [
      ...seenIn(
        [
          { from: -50, to: 15 },
          { from: 40, to: 60 },
          { from: 95, to: 200 },
        ],
        100,
        10,
        100,
      ),
    ],
    [1, 1, 0, 0, 1, 1, 0, 0, 0, 1],
  );
});

test('what was seen is added up once, and only inside the span', () => {
  const seen = [
    { from: 40, to: 60 },
    { from: -50, to: 10 },
    { from: 50, to: 70 },
    { from: 55, to: 58 },
    { from: 95, to: 200 },
    { from: 300, to: 400 },
  ];
  assert.equal(seenFor(seen, 100, 100), 45);
  assert.equal(seenFor([], 100, 100), 0);
});

test('a strip calls nothing well for time in which nobody looked', (context) => {
  const day = 86_400_000;
  const end = 2 * day;
  context.mock.timers.enable({ apis: ['Date'], now: end });
  const says = (events, ...seen) => describe(events, day, seen);
  const one = event('1', 'major', { started: end - 60_000 });
  const few = { from: end - 5 * 60_000 - 9000, to: end };
  assert.equal(says([], { from: 0, to: end }), 'nothing wrong in 24 h');
  assert.equal(says([], { from: day + 59_000, to: end }), 'nothing wrong in 24 h');
  assert.equal(says([], few), 'nothing wrong in the 5 min of 24 h that were seen');
  assert.equal(says([], { from: day + 120_000, to: end }), 'nothing wrong in the 23 h 58 min of 24 h that were seen');
  assert.equal(says([], { from: end - 20_000, to: end }), 'nothing wrong in the 20 s of 24 h that were seen');
  assert.equal(says([]), 'nothing was seen in 24 h');
  assert.equal(says([one], { from: 0, to: end }), '1 event in 24 h');
  assert.equal(says([one], few), '1 event in 24 h, of which 5 min were seen');
  assert.equal(says([one, one]), '2 events in 24 h, of which nothing was seen');
});

/** When `lobby` was seen, by answers of the journal: `[since, until, ...spans]` each, in seconds. */
const seenBy = (...answers) => {
  const seen = new Seen();
  for (const answer of answers) {
    const [since, until, ...spans] = answer;
    const lobby = spans.map(([from, to]) => ({ from: from * 1000, to: to * 1000 }));
    const streams = new Map(spans.length > 0 ? [['lobby', lobby]] : []);
    seen.take({ since: since * 1000, until: until * 1000, streams });
  }
  return seen;
};
const secondsOf = (seen, begin, end) =>
  seen.of('lobby', begin * 1000, end * 1000).map(({ from, to }) => [from / 1000, to / 1000]);

test('what the journal says later goes on from what it said before, and puts it right', () => {
  const whole = seenBy([0, 1000, [0, 980]], [780, 1060, [780, 1035]]);
  assert.deepEqual(secondsOf(whole, 0, 2000), [[0, 1035]]);
  const broken = seenBy([0, 1000, [0, 600], [700, 980]], [780, 1060]);
  assert.deepEqual(secondsOf(broken, 100, 2000), [
    [100, 600],
    [700, 780],
  ]);
  assert.deepEqual(secondsOf(seenBy([0, 100, [0, 80]], [200_000, 200_060]), 0, 200_060), []);
});

test('a stream that is on was seen since the journal was written, and no longer than it is known to be on', () => {
  const seen = seenBy([0, 1000, [0, 980]]);
  assert.deepEqual(secondsOf(seen, 0, 1010), [[0, 980]]);
  seen.note('lobby', true, 1_000_000);
  seen.note('lobby', true, 1_005_000);
  assert.deepEqual(secondsOf(seen, 0, 1010), [
    [0, 980],
    [980, 1010],
  ]);
  seen.lose();
  assert.deepEqual(secondsOf(seen, 0, 1100), [[0, 980]]);
  seen.note('lobby', true, 1_200_000);
  assert.deepEqual(secondsOf(seen, 0, 1300), [
    [0, 980],
    [1200, 1300],
  ]);
  seen.note('lobby', false, 1_250_000);
  assert.deepEqual(secondsOf(seen, 0, 1300), [[0, 980]]);
});

test('nothing is told as seen of time of which not every event is loaded', (context) => {
  context.mock.timers.enable({ apis: ['Date'], now: 1_000_000 });
  const made = model();
  made.setSeen({ since: 0, until: 1_000_000, streams: new Map([['lobby', [{ from: 0, to: 980_000 }]]]) });
  assert.deepEqual(made.seenOf('lobby'), []);
  made.setPastFrom(400_000);
  assert.deepEqual(made.seenOf('lobby')[0], { from: 400_000, to: 980_000 });
  assert.equal(made.seenOf('hall').length, 0);
  // What finds no room any more is not known any more.
  for (let index = 0; index <= 20_000; index += 1)
    made.setPast(event(`p${index}`, 'info', { open: false, state: 'ended', ended: 500_000 + index }));
  assert.equal(made.seenOf('lobby')[0].from, 510_000);
});

/** Points of these seconds, every `step` from `from` to before `to`. */
const pointsOf = (from, to, step = 1) => {
  const points = [];
  for (let second = from; second < to; second += step) points.push({ at: second * 1000 });
  return points;
};
const at = (points) => points.map((point) => point.at / 1000);

test('what the service keeps late is put before what was heard, until they meet', () => {
  const course = new Course(1000, 600_000);
  for (const point of pointsOf(1000, 1011)) course.hear(point, point.at);
  course.keep(pointsOf(400, 975), 400_000, 1_010_000);
  assert.equal(course.isTorn(1_010_000), true);
  assert.equal(course.keptUntil(1_010_000), 974_000);
  course.keep(pointsOf(974, 998), 974_000, 1_020_000);
  assert.equal(course.isTorn(1_020_000), false);
  assert.deepEqual(at(course.points), [...at(pointsOf(420, 998)), ...at(pointsOf(1000, 1011))]);
});

test('a tear in what was heard is mended, and one that cannot be is let be', () => {
  const course = new Course(1000, 600_000);
  course.keep(pointsOf(900, 999), 400_000, 1_000_000);
  for (const point of pointsOf(1000, 1010).concat(pointsOf(1070, 1080))) course.hear(point, point.at);
  assert.equal(course.isTorn(1_080_000), true);
  course.settle();
  assert.equal(course.isTorn(1_080_000), false);
  for (const point of pointsOf(1200, 1210)) course.hear(point, point.at);
  assert.equal(course.isTorn(1_210_000), true);
  course.keep(pointsOf(998, 1198), 998_000, 1_210_000);
  assert.equal(course.isTorn(1_210_000), false);
  assert.equal(course.points.length, 98 + 200 + 10);
});

test('on a long span the newest point moves along until its step is over', () => {
  const course = new Course(10_000, 7_200_000);
  course.keep(pointsOf(0, 100, 10), 0, 100_000);
  for (const point of pointsOf(100, 131)) course.hear(point, point.at);
  assert.deepEqual(at(course.points), [...at(pointsOf(0, 110, 10)), 109, 118, 127, 130]);
  assert.equal(course.isTorn(131_000), false);
});

test('times, rates and shares are told in few words', () => {
  assert.deepEqual(
    [lasted(12_000), lasted(200_000), lasted(7_500_000), lasted(-5)],
    ['12 s', '3 min 20 s', '2 h 5 min', '0 s'],
  );
  assert.deepEqual([brief(99_000), brief(100_000), brief(90_000_000)], ['99 s', '1 min', '25 h']);
  assert.deepEqual([metric(5_234_567, 'bit/s'), metric(25, 'fps'), metric(NaN, 'B')], ['5.23 Mbit/s', '25 fps', '–']);
  assert.deepEqual([percent(1), percent(0.9999), percent(0.5), percent(undefined)], ['100 %', '99.9 %', '50 %', '–']);
  assert.deepEqual([latency(0.00025), latency(0.0021), latency(2.5)], ['250 µs', '2.1 ms', '2.5 s']);
});

test('a message of the feed is read as the standard says', () => {
  assert.deepEqual(parse('id: 7\nevent: event\ndata: {"a":\ndata:  1}\n: a remark'), {
    kind: 'event',
    id: '7',
    data: '{"a":\n 1}',
  });
});

test('a search wants every word, in name, title or labels', () => {
  const stream = { name: 'lobby', title: 'North Entrance', labels: { site: 'north' } };
  assert.deepEqual(
    [
      matches(stream, 'LOB north'),
      matches(stream, 'lob south'),
      matches(stream, '', 'site=north'),
      matches(stream, '', 'site=nor'),
    ],
    [true, false, true, false],
  );
});

test('labels are read line by line, and a line that is none is named', () => {
  assert.deepEqual(labels(' site = north \n\ngroup=a=b'), { site: 'north', group: 'a=b' });
  assert.throws(() => labels('north'), /north/);
});

test('scales have round steps', () => {
  assert.deepEqual([niceStep(100, 4), niceStep(0.3, 4), niceStep(7e6, 4)], [50, 0.1, 2e6]);
});

test('what the service leaves out is nothing, never undefined or NaN', () => {
  const made = shapes.meters({
    second: 1_700_000_000,
    pictures: [{ track: 'video:0', frames: 25 }],
    sounds: [{ track: 'audio:0', channels: [{ rms_dbfs: -20 }] }],
  });
  assert.deepEqual(made, {
    at: 1_700_000_000_000,
    bitrate: null,
    frameRate: 25,
    coverage: null,
    latency: null,
    tracks: [
      { track: 'video:0', luma: null, difference: null, momentary: null, shortTerm: null, levels: [], peaks: [] },
      {
        track: 'audio:0',
        luma: null,
        difference: null,
        momentary: null,
        shortTerm: null,
        levels: [-20],
        peaks: [null],
      },
    ],
  });
});

test('a clone says what part it takes, and a node that takes all says nothing', () => {
  const share = (clone) => shapes.status({ node: 'a', ...(clone && { clone }) }).share;
  assert.equal(share(undefined), null);
  assert.equal(share({ shard: '2/5', streams_elsewhere: 12 }), 'shard 2/5 (12 streams elsewhere), all detectors');
  assert.equal(share({ detectors: ['black', 'freeze'], streams_elsewhere: 0 }), 'all streams, detectors black, freeze');
});
