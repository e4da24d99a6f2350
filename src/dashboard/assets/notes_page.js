// Shift notes: what the next shift must know. Kept by the service, the same for everybody.

import { attribute, fill, h } from './dom.js';
import { every } from './frame.js';
import { get, part, send } from './api.js';
import { isKiosk } from './address.js';
import { field } from './dialog.js';
import { moment } from './format.js';
import { nameField, nameIn } from './actions.js';
import { complain } from './toast.js';

const LENGTH_MAX = 4000;

/** How often the notes of others are looked for, in milliseconds. */
const AGAIN = 15_000;

export function notesPage() {
  const list = h('ol', { class: 'notes', role: 'list' });
  const note = h('p', { class: 'nothing', role: 'status' }, 'Loading …');
  const what = h('textarea', { name: 'note', maxlength: LENGTH_MAX, required: true });
  const who = nameField();
  const fault = h('p', { class: 'fault', role: 'alert', hidden: true });
  const load = async () => {
    try {
      const { notes } = await get('/api/v1/notes');
      note.textContent = notes.length === 0 ? 'No notes yet.' : '';
      attribute(note, 'hidden', notes.length > 0);
      fill(
        list,
        notes.map((one) => row(one, load)),
      );
    } catch (error) {
      note.textContent = error.message;
      attribute(note, 'hidden', false);
    }
  };
  const form = h(
    'form',
    {
      class: 'panel',
      'data-needs': 'operator',
      novalidate: true,
      submit: async (event) => {
        event.preventDefault();
        attribute(fault, 'hidden', true);
        try {
          if (!what.value.trim()) throw new Error('The note is empty.');
          await send('POST', '/api/v1/notes', { text: what.value.trim(), author: nameIn(who) });
          what.value = '';
          await load();
        } catch (error) {
          fill(fault, error.message);
          attribute(fault, 'hidden', false);
        }
      },
    },
    h('h2', {}, 'New note'),
    h('div', { class: 'fields' }, field('Note', what, null, true), field('Your name', who)),
    fault,
    h('div', { class: 'row' }, h('button', { type: 'submit', class: 'first' }, 'Add note')),
  );
  const stop = every(AGAIN, load);
  load();
  const node = h(
    'div',
    { class: 'page', tabindex: '0', role: 'region', 'aria-label': 'Shift notes' },
    h('div', { class: 'inner narrow' }, h('h1', {}, 'Shift notes'), isKiosk() ? null : form, note, list),
  );
  return { node, title: 'Shift notes', find: () => what.focus(), end: stop };
}

function row(note, load) {
  const remove = isKiosk()
    ? null
    : h(
        'button',
        {
          type: 'button',
          class: 'small',
          'data-needs': 'operator',
          'aria-label': `Remove the note of ${note.author}`,
          click: () => send('DELETE', `/api/v1/notes/${part(note.id)}`).then(load, complain),
        },
        'Remove',
      );
  return h(
    'li',
    { class: 'panel' },
    h(
      'div',
      { class: 'head' },
      h('b', {}, note.author),
      h('span', { class: 'soft' }, moment(Date.parse(note.at))),
      h('span', { class: 'grow' }),
      remove,
    ),
    h('p', { class: 'note' }, note.text),
  );
}
