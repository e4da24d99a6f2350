// Short messages in the corner; also read out.

import { h } from './dom.js';

const KEPT = 6000;
const MOST = 4;

/** Says something for a few seconds; what went wrong stays longer. */
export function say(message, isBad = false) {
  const box = document.getElementById('toasts');
  const note = h('div', { class: isBad ? 'toast bad' : 'toast' }, h('span', { class: 'grow' }, message),
    h('button', { type: 'button', class: 'small plain', 'aria-label': 'Dismiss', click: () => note.remove() }, '✕'));
  box.append(note);
  while (box.children.length > MOST) box.firstChild.remove();
  setTimeout(() => note.remove(), isBad ? 3 * KEPT : KEPT);
}

/** Says what went wrong. */
export function complain(error) {
  say(error.message || String(error), true);
}
