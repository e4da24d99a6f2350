// Critical events, said aloud by screen readers: once each, and at most a few at a time.

import { rank } from './severity.js';

/** Least time between two announcements, in milliseconds. */
const PAUSE = 3000;

/** Says new critical events; those that were open when the page was opened are on the page already. */
export function announce(model) {
  const said = new Set();
  let waiting = [];
  let timer = null;
  const speak = () => {
    timer = null;
    const names = waiting.slice(0, 3).map((event) => `${event.stream}: ${event.message || event.detector}`);
    const more = waiting.length > 3 ? `, and ${waiting.length - 3} more` : '';
    waiting = [];
    document.getElementById('spoken').textContent = `Critical: ${names.join('; ')}${more}`;
  };
  model.on('event', (event) => {
    if (!event.open || rank(event.severity) < 5 || event.state === 'suppressed' || said.has(event.id)) return;
    said.add(event.id);
    if (said.size > 5000) said.delete(said.values().next().value);
    if (model.feed.state !== 'open') return;
    waiting.push(event);
    timer ??= setTimeout(speak, PAUSE);
  });
}
