// Dialogs: the browser's own `<dialog>`, which holds the focus, closes with Escape, and gives the focus back.

import { fill, h } from './dom.js';

let number = 0;

/** Opens a dialog; gives `{ node, close }`. */
export function open(title, body, { narrow = false, closed } = {}) {
  number += 1;
  const id = `dialog-${number}`;
  const node = h('dialog', { class: narrow ? 'narrow' : null, 'aria-labelledby': id });
  const close = () => node.close();
  node.append(h('div', { class: 'body' }, h('h2', { id }, title), body));
  node.addEventListener('close', () => {
    node.remove();
    closed?.();
  });
  document.body.append(node);
  node.showModal();
  return { node, close };
}

/** A labelled field of a form. */
export function field(label, input, hint, isWide) {
  return h('label', { class: isWide ? 'field wide' : 'field' }, h('span', {}, label), input, hint ? h('small', {}, hint) : null);
}

/**
 * Opens a dialog with a form. `submit()` is asked on sending; what it throws is shown in the dialog,
 * which stays open so that nothing typed is lost.
 */
export function form(title, fields, { action, danger = false, narrow = true, submit }) {
  const fault = h('p', { class: 'fault', role: 'alert', hidden: true });
  const button = h('button', { type: 'submit', class: danger ? 'danger' : 'first' }, action);
  const cancel = h('button', { type: 'button' }, 'Cancel');
  const node = h('form', { novalidate: true }, fields, fault, h('div', { class: 'buttons' }, cancel, button));
  return new Promise((done) => {
    let result = null;
    const dialog = open(title, node, { narrow, closed: () => done(result) });
    cancel.addEventListener('click', dialog.close);
    node.addEventListener('submit', async (event) => {
      event.preventDefault();
      button.disabled = true;
      fault.hidden = true;
      try {
        result = (await submit()) ?? true;
        dialog.close();
      } catch (error) {
        fill(fault, error.message);
        fault.hidden = false;
      } finally {
        button.disabled = false;
      }
    });
    node.querySelector('input, select, textarea')?.focus();
  });
}
