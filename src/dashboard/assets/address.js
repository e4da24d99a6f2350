// What is shown, kept in the address alone: a view is saved by keeping its address, and going back
// works. Links are real links; a plain click on one changes the page without loading it again.

const listeners = new Set();

/** Views by name; anything else shows the wall. */
export const VIEWS = ['wall', 'problems', 'events', 'event', 'incident', 'stream', 'node', 'notes'];

/** Everything in the address: strings only, absent when not set. */
export function state() {
  const values = Object.fromEntries(new URLSearchParams(location.search));
  if (!VIEWS.includes(values.view)) values.view = 'wall';
  return values;
}

/** True on a screen that nobody operates. */
export function isKiosk() {
  return new URLSearchParams(location.search).has('kiosk');
}

/** The keys that go from view to view. */
const LASTING = ['kiosk', 'q', 'label', 'size', 'span'];

/** The address of a view: what lasts is kept, the rest is as given. Empty values are left out. */
export function address(values) {
  const current = new URLSearchParams(location.search);
  const next = new URLSearchParams();
  for (const key of LASTING) if (current.has(key) && !(key in values)) next.set(key, current.get(key));
  for (const [key, value] of Object.entries(values)) {
    if (value !== undefined && value !== null && (value !== '' || key === 'kiosk')) next.set(key, value);
  }
  if (next.get('view') === 'wall') next.delete('view');
  const query = next.toString();
  return query ? `/?${query}` : '/';
}

/** The stream that events of the monitor itself are of. There is no such stream to be shown. */
const MONITOR = '@monitor';

/** The address of what an event is of: the page of a stream, or the node for the monitor itself. */
export function source(stream) {
  return address(stream === MONITOR ? { view: 'node' } : { view: 'stream', name: stream });
}

/** Goes to a view. */
export function go(values) {
  visit(address(values));
}

/** Changes some values of this view, without a step in the history for each letter typed. */
export function change(values) {
  const all = { ...state(), ...values };
  history.replaceState(null, '', address(all));
  tell();
}

/** Calls `listener` whenever the address has changed. */
export function onAddress(listener) {
  listeners.add(listener);
}

function visit(href) {
  if (href !== location.pathname + location.search) history.pushState(null, '', href);
  tell();
}

function tell() {
  for (const listener of listeners) listener();
}

/** Takes over plain clicks on our own links, and the way back. */
export function begin() {
  addEventListener('popstate', tell);
  document.addEventListener('click', (event) => {
    if (
      event.defaultPrevented ||
      event.button !== 0 ||
      event.metaKey ||
      event.ctrlKey ||
      event.shiftKey ||
      event.altKey
    )
      return;
    const link = event.target instanceof Element ? event.target.closest('a[href^="/?"], a[href="/"]') : null;
    if (!link || link.target) return;
    event.preventDefault();
    visit(link.getAttribute('href'));
  });
}
