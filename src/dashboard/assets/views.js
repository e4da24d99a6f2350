// How the wall looks, and saved views: addresses by name, kept in this browser. The address alone is
// enough for others.

import { fill, h } from './dom.js';
import { field, form, open } from './dialog.js';
import { recall, remember } from './memory.js';
import { change, go, state } from './address.js';
import { say } from './toast.js';

const MOST = 50;

const CHOICES = [
  ['Order', 'sort', [['name', 'By name'], ['worst', 'Worst first']], 'name'],
  ['Size of tiles', 'size', [['s', 'Small'], ['m', 'Medium'], ['l', 'Large']], 'm'],
  ['History strips', 'span', [['2h', 'Last 2 hours'], ['24h', 'Last 24 hours']], '2h'],
];

/** The button that opens the dialog. */
export function viewButton() {
  return h('button', { type: 'button', 'aria-haspopup': 'dialog', click: show }, 'View');
}

function show() {
  const rows = h('div', {});
  const dialog = open('View', h('div', { class: 'stack' }, h('div', { class: 'fields' }, CHOICES.map(choice)),
    h('h3', {}, 'Saved views'),
    h('p', { class: 'soft' }, 'A view is its address: search, filters, size and order. Keep it as a bookmark, put it on a screen, or save it here under a name.'),
    rows, h('div', { class: 'buttons' },
      h('button', { type: 'button', click: () => copy(location.href) }, 'Copy address'),
      h('button', { type: 'button', click: () => copy(kioskAddress()) }, 'Copy kiosk address'),
      h('button', { type: 'button', click: () => { dialog.close(); save(); } }, 'Save this view'),
      h('button', { type: 'button', class: 'first', click: () => dialog.close() }, 'Done'))), { narrow: true });
  draw(rows, dialog);
}

function choice([label, key, options, otherwise]) {
  const node = h('select', { change: () => change({ [key]: node.value === otherwise ? '' : node.value }) },
    options.map(([value, word]) => h('option', { value }, word)));
  node.value = state()[key] ?? otherwise;
  return field(label, node);
}

function draw(rows, dialog) {
  const views = recall('views', []);
  if (views.length === 0) {
    fill(rows, h('p', { class: 'soft' }, 'None saved yet.'));
    return;
  }
  fill(rows, h('table', {}, h('tbody', {}, views.map((view) => h('tr', {},
    h('td', {}, h('a', { href: view.href, click: (event) => { event.preventDefault(); dialog.close(); visit(view.href); } }, view.name)),
    h('td', { class: 'number' }, h('button', { type: 'button', class: 'small', 'aria-label': `Forget ${view.name}`,
      click: () => { remember('views', views.filter((one) => one !== view)); draw(rows, dialog); } }, 'Forget')))))));
}

/** Goes to a saved view as a whole: nothing of the present one stays. */
function visit(href) {
  const nothing = { q: '', label: '', is: '', sort: '', size: '', span: '' };
  go({ ...nothing, ...Object.fromEntries(new URL(href, location.origin).searchParams) });
}

function save() {
  const name = h('input', { maxlength: 60, required: true });
  return form('Save this view', [field('Name', name)], {
    action: 'Save',
    submit: async () => {
      if (!name.value.trim()) throw new Error('Give it a name.');
      const others = recall('views', []).filter((view) => view.name !== name.value.trim());
      remember('views', [...others, { name: name.value.trim(), href: location.pathname + location.search }].slice(-MOST));
      say('View saved in this browser');
    },
  });
}

/** True where no token is needed. */
const isLoopback = (host) => host === 'localhost' || host === '[::1]' || host.startsWith('127.');

/** The address for a screen; where one is needed, with a place for a read-only token. */
function kioskAddress() {
  const url = new URL(location.pathname + location.search, location.origin);
  url.searchParams.set('kiosk', '');
  if (!isLoopback(url.hostname)) {
    url.username = 'kiosk';
    url.password = 'TOKEN';
  }
  return url.href;
}

async function copy(address) {
  try {
    await navigator.clipboard.writeText(address);
    say('Address copied');
  } catch {
    say(address);
  }
}
