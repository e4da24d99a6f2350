// The page begins here: builds the parts once, then shows one page after another as the address says.

import * as addresses from './address.js';
import * as keys from './keys.js';
import * as monitorNews from './monitor_news.js';
import * as role from './role.js';
import * as theme from './theme.js';
import * as topbar from './topbar.js';
import { Alarm } from './alarm.js';
import { eventPage } from './event_page.js';
import { eventsPage } from './events_page.js';
import { Feed } from './feed.js';
import { incidentPage } from './incident_page.js';
import { Model } from './model.js';
import { nodePage } from './node_page.js';
import { notesPage } from './notes_page.js';
import { problemsPage } from './penalty.js';
import { streamPage } from './stream_page.js';
import { Thumbnails } from './thumbs.js';
import { wallPage } from './wall.js';
import { announce } from './announce.js';

const PAGES = {
  wall: wallPage,
  problems: problemsPage,
  events: eventsPage,
  event: eventPage,
  incident: incidentPage,
  stream: streamPage,
  node: nodePage,
  notes: notesPage,
};

/** The parts of the address that make it another page; the rest changes the page that is there. */
const identity = ({ view, name, id, kiosk }) => JSON.stringify([view, name, id, kiosk]);

const model = new Model();
const context = { model, thumbnails: new Thumbnails() };
let page = null;
let shown = '';

function show() {
  const state = addresses.state();
  where();
  if (identity(state) === shown) {
    page?.address?.();
    return;
  }
  const isFirst = shown === '';
  shown = identity(state);
  page?.end?.();
  const main = document.getElementById('main');
  page = PAGES[state.view](context, state);
  main.replaceChildren(page.node);
  document.documentElement.classList.toggle('kiosk', addresses.isKiosk());
  // Whoever followed a link reads on where the new page begins.
  if (!isFirst) main.focus({ preventScroll: true });
}

role.begin();
theme.begin();
addresses.begin();
const feed = new Feed(model);
const alarm = new Alarm(model);
const where = topbar.begin(model, alarm);
addresses.onAddress(show);
announce(model);
monitorNews.begin(model);
keys.begin({
  w: () => addresses.go({ view: 'wall' }),
  p: () => addresses.go({ view: 'problems' }),
  e: () => addresses.go({ view: 'events' }),
  n: () => addresses.go({ view: 'node' }),
  s: () => addresses.go({ view: 'notes' }),
  Escape: () => addresses.go({ view: 'wall' }),
  '/': () => (page.find ? page.find() : addresses.go({ view: 'wall' })),
  a: () => page.acknowledge && role.may('operator') && page.acknowledge(),
  z: () => page.snooze && role.may('operator') && page.snooze(),
  m: () => topbar.toggleAlarm(alarm),
  t: () => document.querySelector('.tools button:nth-of-type(2)')?.click(),
  '?': keys.help,
});
show();
feed.run();
