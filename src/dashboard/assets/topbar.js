// The bar on top: where one is, what is wrong in numbers, the state of the live feed, and the switches.

import { attribute, fill, h, svg, text } from './dom.js';
import { every, soon } from './frame.js';
import { brief, clock, now } from './format.js';
import { address, isKiosk, state } from './address.js';
import { choice, next } from './theme.js';
import { help } from './keys.js';
import { say } from './toast.js';

const PAGES = [
  ['wall', 'Wall'],
  ['problems', 'Problems'],
  ['events', 'Events'],
  ['node', 'Node'],
  ['notes', 'Notes'],
];

const ICONS = {
  wave: 'M2 13h4l3-8 5 15 4-11 2 4h3',
  bell: 'M6 17V11a6 6 0 0 1 12 0v6l2 2H4zM10 21h4',
  mute: 'M6 17V11a6 6 0 0 1 9-5M18 11v6l2 2H8M10 21h4M3 3l18 18',
  sun: 'M12 8a4 4 0 1 0 0 8a4 4 0 0 0 0-8M12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.5 1.5M17.5 17.5L19 19M5 19l1.5-1.5M17.5 6.5L19 5',
  moon: 'M20 14A8 8 0 1 1 10 4a7 7 0 0 0 10 10z',
  half: 'M12 3a9 9 0 1 0 0 18zM12 3a9 9 0 0 1 0 18',
};

/** A line drawing; decoration only. */
export function icon(name) {
  return svg(
    'svg',
    { viewBox: '0 0 24 24', 'aria-hidden': 'true' },
    svg('path', {
      d: ICONS[name],
      fill: 'none',
      stroke: 'currentColor',
      'stroke-width': 2,
      'stroke-linecap': 'round',
      'stroke-linejoin': 'round',
    }),
  );
}

/** Fills the bar; gives what must be called when the address changes. */
export function begin(model, alarm) {
  const count = h('span', { class: 'count' }, '0');
  const links = new Map(PAGES.map(([view, title]) => [view, h('a', {}, title, view === 'problems' ? count : null)]));
  const link = h('span', { class: 'link-state', role: 'status' }, 'connecting');
  const time = h('span', { class: 'time', 'aria-hidden': 'true' });
  const sound = h('button', { type: 'button', class: 'sound', click: () => toggleAlarm(alarm) });
  const theme = h('button', { type: 'button', click: () => showTheme(theme, next()) });
  const question = h(
    'button',
    { type: 'button', 'aria-label': 'Help: keyboard and signs', title: 'Help ( ? )', click: help },
    '?',
  );
  const brand = h('a', { class: 'brand', href: '/' }, icon('wave'), 'avwatch');
  fill(
    document.getElementById('top'),
    brand,
    h('nav', { 'aria-label': 'Pages' }, [...links.values()]),
    h('div', { class: 'tools' }, link, time, sound, theme, question),
  );
  showTheme(theme, choice());
  const showAlarm = () => drawAlarm(sound, alarm);
  alarm.onChange(showAlarm);
  showAlarm();

  const where = () => {
    const view = { event: 'events', incident: 'events', stream: 'wall' }[state().view] ?? state().view;
    attribute(brand, 'href', isKiosk() ? null : address({ view: 'wall' }));
    for (const [name, node] of links) {
      attribute(node, 'href', address({ view: name }));
      attribute(node, 'aria-current', name === view ? 'page' : null);
    }
  };
  const wrong = () => {
    const entries = model.penalties().filter((entry) => entry.clearedAt === null);
    text(count, entries.length);
    attribute(count, 'data-severity', entries[0]?.event.severity);
    document.title = entries.length > 0 ? `(${entries.length}) avwatch` : 'avwatch';
  };
  const tick = () => {
    text(time, clock(now()));
    const { state: feed, since } = model.feed;
    attribute(link, 'data-state', feed);
    text(link, feed === 'open' ? 'live' : feed === 'lost' ? `lost ${brief(now() - since)}` : 'connecting');
    showAlarm();
  };
  model.on('stream', () => soon(wrong));
  model.on('list', () => soon(wrong));
  model.on('feed', () => {
    soon(tick);
    banner(model);
  });
  every(1000, tick);
  every(2000, wrong);
  where();
  tick();
  return where;
}

/** Switches the alarm and says so. */
export function toggleAlarm(alarm) {
  const on = alarm.toggle();
  say(on ? 'Alarm sound on: critical events are heard until they are acknowledged' : 'Alarm sound off');
}

function drawAlarm(node, alarm) {
  const words = {
    off: 'Alarm sound is off',
    on: 'Alarm sound is on',
    blocked: 'Alarm sound waits for a click on this page',
  };
  const now_ = alarm.state();
  if (node.dataset.state === now_) return;
  node.dataset.state = now_;
  fill(node, icon(now_ === 'off' ? 'mute' : 'bell'), now_ === 'blocked' ? 'click for sound' : null);
  attribute(node, 'aria-pressed', now_ === 'off' ? 'false' : 'true');
  attribute(node, 'aria-label', words[now_]);
  attribute(node, 'title', `${words[now_]} ( m )`);
}

/** Shows the theme on its switch. */
export function showTheme(node, theme) {
  fill(node, icon({ auto: 'half', dark: 'moon', light: 'sun' }[theme]));
  const words = `Theme: ${theme === 'auto' ? 'as the system' : theme}`;
  attribute(node, 'aria-label', words);
  attribute(node, 'title', `${words} ( t )`);
}

function banner(model) {
  const news = document.getElementById('news');
  if (model.feed.state !== 'lost') news.querySelector('[data-news="feed"]')?.remove();
  else if (!news.querySelector('[data-news="feed"]')) {
    news.append(
      h(
        'div',
        { class: 'banner bad', role: 'alert', 'data-news': 'feed' },
        'The connection to avwatch is lost. What you see is old; trying again.',
      ),
    );
  }
}
