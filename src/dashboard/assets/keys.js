// Keyboard shortcuts: single letters, never while somebody types or a dialog is open.

import { h } from './dom.js';
import { open } from './dialog.js';

const groups = [
  ['Go to', [['w', 'Wall'], ['p', 'Problems'], ['e', 'Events'], ['n', 'Node'], ['s', 'Shift notes']]],
  ['On the wall', [['/', 'Search'], ['← ↑ ↓ →', 'Move between tiles'], ['Home End', 'First, last tile'], ['Enter', 'Open the stream']]],
  ['On a stream or event', [['a', 'Acknowledge the worst open event'], ['z', 'Snooze'], ['Esc', 'Back to the wall']]],
  ['Everywhere', [['m', 'Alarm sound on or off'], ['t', 'Theme'], ['?', 'This help']]],
];

/** Calls `actions[key]()` for plain keys. */
export function begin(actions) {
  addEventListener('keydown', (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey || event.defaultPrevented) return;
    const target = event.target instanceof Element ? event.target : document.body;
    if (target.closest('input, select, textarea, dialog, [contenteditable]')) return;
    const action = actions[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  });
}

/** Opens the help. */
export function help() {
  if (document.querySelector('dialog[open]')) return;
  const tables = groups.map(([title, keys]) => h('section', {}, h('h3', {}, title),
    h('table', {}, h('tbody', {}, keys.map(([key, what]) => h('tr', {},
      h('th', { scope: 'row' }, key.split(' ').map((one) => [h('kbd', {}, one), ' '])), h('td', {}, what)))))));
  const signs = h('section', {}, h('h3', {}, 'Severities'), h('p', {},
    'Low to high: info (dotted border), warning and minor (dashed), major (thick), critical (thickest, filled). A double border: the stream cannot be seen. Hatched pictures and bars are old.'));
  const close = h('button', { type: 'button', class: 'first', autofocus: true }, 'Close');
  const dialog = open('Keyboard and signs', h('div', { class: 'stack' }, h('div', { class: 'panels' }, tables, signs), h('div', { class: 'buttons' }, close)));
  close.addEventListener('click', dialog.close);
}
